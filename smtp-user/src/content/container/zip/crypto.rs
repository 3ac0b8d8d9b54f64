//! Encrypted members of a zip: the old cipher of PKWARE (APPNOTE.TXT 6.1) and AES as `WinZip` writes it (AE-1, AE-2).

use std::num::NonZeroU32;

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use aws_lc_rs::pbkdf2;

use crate::content::container::zip::decode;
use crate::content::container::zip::header::{CentralHeader, extra_field};
use crate::content::container::{Unpacked, Walk};
use crate::content::finding::{Finding, Trait, Unsupported};

/// Decrypts a member with one of the passwords; `None` if none opens it.
pub(super) fn decrypt(
    walk: &mut Walk<'_>,
    part: &str,
    header: &CentralHeader,
    data: &[u8],
) -> Option<Unpacked> {
    let tries = walk.passwords.len().min(walk.limits.max_passwords);
    for index in 0..tries {
        if !walk.may_go_on(part) {
            return None;
        }
        let password = walk.passwords.get(index)?.clone();
        let Some((plain, method)) = attempt(&password, header, data) else { continue };
        let Some(mut decoder) = decode::decoder(method, &plain) else { continue };
        let unpacked = walk.unpack(&mut decoder, plain.len() as u64, part);
        // One octet of check lets one wrong password in 256 pass; the checksum does not.
        let has_checksum = header.method != AES || version(header) == Some(1);
        let sound = !has_checksum || decode::checksum(&unpacked.octets) == header.crc;
        let is_damaged = unpacked.cut == Some(Finding::Unsupported(Unsupported::Damaged));
        if sound && !is_damaged || unpacked.cut.is_some_and(|cut| matches!(cut, Finding::LimitExceeded(_))) {
            walk.passwords.swap(0, index);
            walk.has(Trait::OpenedByPassword, part);
            return Some(unpacked);
        }
    }
    None
}

/// The method that says that another method is encrypted with AES.
const AES: u16 = 99;

/// The octets before encryption, and how they are compressed.
fn attempt(password: &str, header: &CentralHeader, data: &[u8]) -> Option<(Vec<u8>, u16)> {
    // Bit 6: a cipher that PKWARE keeps to itself.
    if header.flags & 1 << 6 != 0 || header.flags & 1 << 13 != 0 {
        return None;
    }
    if header.method == AES {
        return aes(password, header, data);
    }
    let mut keys = Keys::new(password.as_bytes());
    let (salt, data) = data.split_at_checked(12)?;
    let check = salt.iter().fold(0, |_, octet| keys.decrypt(*octet));
    // Which of the two it is depends on who wrote it.
    let fits = check == (header.crc >> 24) as u8 || check == (header.time >> 8) as u8;
    fits.then(|| (data.iter().map(|octet| keys.decrypt(*octet)).collect(), header.method))
}

fn version(header: &CentralHeader) -> Option<u8> {
    extra_field(&header.extra, 0x9901)?.first().copied()
}

/// Octets behind the encrypted ones: their authentication.
const TAG: usize = 10;

fn aes(password: &str, header: &CentralHeader, data: &[u8]) -> Option<(Vec<u8>, u16)> {
    let field = extra_field(&header.extra, 0x9901)?;
    let [_, _, b'A', b'E', strength, low, high] = field else { return None };
    let key_length = match strength {
        1 => 16,
        2 => 24,
        3 => 32,
        _ => return None,
    };
    let (salt, rest) = data.split_at_checked(key_length / 2)?;
    let (check, rest) = rest.split_at_checked(2)?;
    let body = rest.get(..rest.len().checked_sub(TAG)?)?;
    let mut derived = vec![0; 2 * key_length + 2];
    let rounds = NonZeroU32::new(1000)?;
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA1, rounds, salt, password.as_bytes(), &mut derived);
    if derived.get(2 * key_length..)? != check {
        return None;
    }
    let mut plain = body.to_vec();
    counter_mode(derived.get(..key_length)?, &mut plain)?;
    Some((plain, u16::from_le_bytes([*low, *high])))
}

/// Counter mode with a counter that begins at 1, its lowest octet first.
fn counter_mode(key: &[u8], octets: &mut [u8]) -> Option<()> {
    match key.len() {
        16 => with_cipher(&Aes128::new_from_slice(key).ok()?, octets),
        24 => with_cipher(&Aes192::new_from_slice(key).ok()?, octets),
        _ => with_cipher(&Aes256::new_from_slice(key).ok()?, octets),
    }
    Some(())
}

fn with_cipher<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>>(cipher: &C, octets: &mut [u8]) {
    for (index, chunk) in octets.chunks_mut(16).enumerate() {
        let mut block = Array::from((index as u128 + 1).to_le_bytes());
        cipher.encrypt_block(&mut block);
        for (octet, mask) in chunk.iter_mut().zip(block.iter()) {
            *octet ^= mask;
        }
    }
}

/// The state of the old cipher.
struct Keys(u32, u32, u32);

impl Keys {
    fn new(password: &[u8]) -> Self {
        let mut keys = Self(0x1234_5678, 0x2345_6789, 0x3456_7890);
        for octet in password {
            keys.update(*octet);
        }
        keys
    }

    fn update(&mut self, octet: u8) {
        self.0 = crc_step(self.0, octet);
        self.1 = self.1.wrapping_add(self.0 & 0xff).wrapping_mul(134_775_813).wrapping_add(1);
        self.2 = crc_step(self.2, (self.1 >> 24) as u8);
    }

    fn decrypt(&mut self, octet: u8) -> u8 {
        let temp = (self.2 | 2) & 0xffff;
        let plain = octet ^ ((temp.wrapping_mul(temp ^ 1) >> 8) as u8);
        self.update(plain);
        plain
    }
}

/// One step of CRC-32.
fn crc_step(crc: u32, octet: u8) -> u32 {
    let index = (crc as u8) ^ octet;
    (crc >> 8) ^ CRC_TABLE.get(usize::from(index)).copied().unwrap_or_default()
}

static CRC_TABLE: [u32; 256] = crc_table();

#[allow(clippy::indexing_slicing, reason = "the index is below the length, and the compiler runs it")]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let (mut value, mut bit) = (index as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}
