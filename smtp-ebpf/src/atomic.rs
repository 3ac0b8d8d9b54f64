//! Atomic operations on a word in a map value.
//!
//! `core` has none for this target; these are the instructions themselves (BPF v3, Linux 5.12). Registers are
//! named, since the compiler does not offer the 32-bit ones.

use core::arch::asm;

/// Stores `new` if the word is `old`; returns what the word was.
///
/// # Safety
/// `word` points into a map value.
#[inline(always)]
pub(crate) unsafe fn compare_exchange(word: *mut u32, old: u32, new: u32) -> u32 {
    let found: u64;
    // SAFETY: the caller vouches for the pointer; the verifier checks it.
    unsafe {
        asm!("w0 = cmpxchg32_32(r1 + 0, w0, w2)", in("r1") word, in("r2") u64::from(new), inout("r0") u64::from(old) => found);
    }
    found as u32
}

/// Sets bits.
///
/// # Safety
/// `word` points into a map value.
#[inline(always)]
pub(crate) unsafe fn or(word: *mut u32, bits: u32) {
    // SAFETY: as above.
    unsafe { asm!("lock *(u32 *)(r1 + 0) |= w2", in("r1") word, in("r2") u64::from(bits)) }
}

/// Clears all bits but these.
///
/// # Safety
/// `word` points into a map value.
#[inline(always)]
pub(crate) unsafe fn and(word: *mut u32, bits: u32) {
    // SAFETY: as above.
    unsafe { asm!("lock *(u32 *)(r1 + 0) &= w2", in("r1") word, in("r2") u64::from(bits)) }
}

/// Toggles bits.
///
/// # Safety
/// `word` points into a map value.
#[inline(always)]
pub(crate) unsafe fn xor(word: *mut u32, bits: u32) {
    // SAFETY: as above.
    unsafe { asm!("lock *(u32 *)(r1 + 0) ^= w2", in("r1") word, in("r2") u64::from(bits)) }
}

/// Adds one to a word of eight octets.
///
/// # Safety
/// `word` points into a map value.
#[inline(always)]
pub(crate) unsafe fn increment(word: *mut u64) {
    // SAFETY: as above.
    unsafe { asm!("lock *(u64 *)(r1 + 0) += r2", in("r1") word, in("r2") 1_u64) }
}

/// Adds one and returns what the word was.
///
/// # Safety
/// `word` points into a map value.
#[inline(always)]
pub(crate) unsafe fn fetch_increment(word: *mut u32) -> u32 {
    let mut value: u64 = 1;
    // SAFETY: as above.
    unsafe { asm!("w2 = atomic_fetch_add((u32 *)(r1 + 0), w2)", in("r1") word, inout("r2") value) }
    value as u32
}
