//! Where a part stands: its number, and the numbers of what is within it.

/// Numbers of what stands here.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Of a leaf.
    pub(super) number: String,
    /// Before the numbers of the parts of a multipart.
    pub(super) prefix: String,
    /// Where its header section begins.
    pub(super) header_at: u64,
    /// Its header section is that of a message.
    pub(super) is_message: bool,
}

impl Place {
    pub(super) fn child(prefix: &str, index: u32, header_at: u64) -> Self {
        let number = if prefix.is_empty() { index.to_string() } else { format!("{prefix}.{index}") };
        Self { prefix: number.clone(), number, header_at, is_message: false }
    }

    pub(super) fn within_message(number: &str, header_at: u64) -> Self {
        Self { number: format!("{number}.1"), prefix: number.to_owned(), header_at, is_message: true }
    }
}
