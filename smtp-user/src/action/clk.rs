//! The locked form of a file, `.clk`: it opens by no program but ours, and cannot be mistaken for the file.
//!
//! | octets | what |
//! |---|---|
//! | 8 | `89 43 4C 4B 0D 0A 1A 0A`: no text, and damaged by whatever changes line ends |
//! | 1 | version, 1 |
//! | 1 | cipher, 1: AES-256-GCM |
//! | 8 | the first octets of the SHA-256 of the key: which key it needs |
//! | 12 | nonce |
//! | the rest | sealed: length of the name (2, most significant first), name (UTF-8), SHA-256 of the content (32), content; then the tag (16) |
//!
//! Everything before the sealed octets is authenticated with them. A file with one changed octet, or of another
//! key, does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

use crate::wire::hexadecimal::{from_hexadecimal, hexadecimal};

const MAGIC: [u8; 8] = *b"\x89CLK\r\n\x1a\n";
const VERSION: u8 = 1;
const CIPHER: u8 = 1;
const NONCE: usize = 12;
const HEADER: usize = MAGIC.len() + 2 + KEY_ID + NONCE;
const KEY_ID: usize = 8;
const DIGEST: usize = 32;
const TAG: usize = 16;
/// Octets of a name that are kept.
const MAX_NAME: usize = 1024;

/// The key of locked files.
#[derive(Clone)]
pub struct LockKey([u8; 32]);

impl LockKey {
    /// Of 32 octets of chance.
    pub const fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// Reads 64 hexadecimal digits; blanks around them do not matter.
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hexadecimal(text.trim())?.try_into().ok().map(Self)
    }

    /// As 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hexadecimal(&self.0)
    }

    /// Which key this is; says nothing of the key itself.
    pub fn id(&self) -> [u8; KEY_ID] {
        let digest = Sha256::digest(self.0);
        digest.first_chunk().copied().unwrap_or_default()
    }

    fn cipher(&self) -> Result<LessSafeKey, ClkError> {
        let key = UnboundKey::new(&AES_256_GCM, &self.0).map_err(|_| ClkError::Cipher)?;
        Ok(LessSafeKey::new(key))
    }
}

impl std::fmt::Debug for LockKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockKey")
    }
}

/// What was locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlocked {
    /// Its name, as it was.
    pub name: String,
    /// Its octets.
    pub content: Vec<u8>,
}

/// Locks a file. The nonce must be of chance: twelve octets never used before with this key.
pub fn lock(key: &LockKey, nonce: [u8; NONCE], name: &str, content: &[u8]) -> Result<Vec<u8>, ClkError> {
    let end = (0..=name.len().min(MAX_NAME)).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    let name = name.get(..end).unwrap_or_default();
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&[VERSION, CIPHER]);
    header.extend_from_slice(&key.id());
    header.extend_from_slice(&nonce);
    let mut sealed = Vec::with_capacity(2 + name.len() + DIGEST + content.len() + TAG);
    sealed.extend_from_slice(&(name.len() as u16).to_be_bytes());
    sealed.extend_from_slice(name.as_bytes());
    sealed.extend_from_slice(&Sha256::digest(content));
    sealed.extend_from_slice(content);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let aad = Aad::from(header.as_slice());
    key.cipher()?.seal_in_place_append_tag(nonce, aad, &mut sealed).map_err(|_| ClkError::Cipher)?;
    let mut file = header;
    file.append(&mut sealed);
    Ok(file)
}

/// Unlocks a file.
pub fn unlock(key: &LockKey, file: &[u8]) -> Result<Unlocked, ClkError> {
    let (header, sealed) = file.split_at_checked(HEADER).ok_or(ClkError::NotLocked)?;
    let (magic, rest) = header.split_at_checked(MAGIC.len()).ok_or(ClkError::NotLocked)?;
    let (kind, rest) = rest.split_first_chunk::<2>().ok_or(ClkError::NotLocked)?;
    let (id, nonce) = rest.split_first_chunk::<KEY_ID>().ok_or(ClkError::NotLocked)?;
    if magic != MAGIC {
        return Err(ClkError::NotLocked);
    }
    if *kind != [VERSION, CIPHER] {
        return Err(ClkError::Version { version: kind[0] });
    }
    if *id != key.id() {
        return Err(ClkError::OtherKey { id: hexadecimal(id) });
    }
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| ClkError::NotLocked)?;
    let mut sealed = sealed.to_vec();
    let opened = key.cipher()?.open_in_place(nonce, Aad::from(header), &mut sealed);
    let opened = opened.map_err(|_| ClkError::Changed)?;
    let (length, rest) = opened.split_first_chunk::<2>().ok_or(ClkError::Changed)?;
    let (name, rest) =
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(ClkError::Changed)?;
    let (digest, content) = rest.split_at_checked(DIGEST).ok_or(ClkError::Changed)?;
    if Sha256::digest(content).as_slice() != digest {
        return Err(ClkError::Changed);
    }
    Ok(Unlocked { name: String::from_utf8_lossy(name).into_owned(), content: content.to_vec() })
}

/// Why a file cannot be locked or unlocked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClkError {
    /// Another kind of file.
    #[error("this is no locked file")]
    NotLocked,
    /// Made by a newer Postern.
    #[error("the locked file is of version {version}, which is not known here")]
    Version {
        /// The version it says.
        version: u8,
    },
    /// Locked by another gateway, or before the key was changed.
    #[error("the file was locked with another key, {id}")]
    OtherKey {
        /// Which.
        id: String,
    },
    /// Damaged on its way, or tampered with.
    #[error("the locked file has been changed")]
    Changed,
    /// The cipher refused its key: this does not happen.
    #[error("the cipher does not work")]
    Cipher,
}

#[cfg(test)]
mod tests;
