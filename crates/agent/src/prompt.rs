//! What a turn tells an agent.

/// One turn's input. The chat text is untrusted: each wire frames it so that it stays text
/// (`@/path`, a leading `/command`, a leading `-` and control characters have no effect).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// What people wrote, framed by the gateway with who wrote it and when.
    pub text: String,
    /// The gateway's own closing line; it comes last and holds nothing a person wrote.
    pub closing: String,
    /// Pictures.
    pub images: Vec<Image>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
    pub media_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}
