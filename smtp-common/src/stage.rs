//! Where a plaintext SMTP dialogue stands, from what little of it a packet shows.
//!
//! Best effort, for flows that are forwarded anyway (`track = "starttls"`): only the head of a
//! segment is looked at, and a dialogue cut in odd places simply stays at its last known stage.
//! Nothing is ever allowed on the strength of it.

use crate::flow::FlowMarks;

/// Stage of an SMTP dialogue (RFC 5321 §3, RFC 3207).
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct SmtpStage(pub u8);

impl SmtpStage {
    /// Nothing seen yet.
    pub const NONE: Self = Self(0);
    /// The server greeted.
    pub const GREETING: Self = Self(1);
    /// The client said EHLO or HELO.
    pub const HELO: Self = Self(2);
    /// The server offered STARTTLS.
    pub const STARTTLS_OFFERED: Self = Self(3);
    /// The client asked for STARTTLS.
    pub const STARTTLS_REQUESTED: Self = Self(4);
    /// The server agreed; the next octets are TLS.
    pub const STARTTLS_ACCEPTED: Self = Self(5);
    /// TLS records flow.
    pub const TLS: Self = Self(6);
    /// A mail transaction began; of a flow that is only forwarded, in plaintext.
    pub const MAIL: Self = Self(7);
    /// Mail data is received, judged or sent on. Inspected flows only.
    pub const DATA: Self = Self(8);

    /// The word used in output.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "none",
            1 => "greeting",
            2 => "helo",
            3 => "starttls_offered",
            4 => "starttls_requested",
            5 => "starttls_accepted",
            6 => "tls",
            7 => "mail",
            8 => "data",
            _ => "unknown",
        }
    }
}

/// What the payload of one packet shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadHead {
    /// First eight octets, first octet in the highest place, letters in upper case; 0 where it ends.
    pub head: u64,
    /// `STARTTLS` stands somewhere in what was looked at.
    pub names_starttls: bool,
    /// The packet came from the side that opened the connection.
    pub from_initiator: bool,
}

/// Stage and marks after a packet.
#[inline(always)]
pub const fn after(stage: SmtpStage, marks: FlowMarks, payload: PayloadHead) -> (SmtpStage, FlowMarks) {
    let PayloadHead { head, names_starttls, from_initiator } = payload;
    if stage.0 == SmtpStage::TLS.0 {
        return (stage, marks);
    }
    if from_initiator {
        // A handshake record of TLS 1.x (RFC 8446 §5.1), after STARTTLS or as the first thing said (465).
        if head >> 48 == 0x1603 && (stage.0 == SmtpStage::STARTTLS_ACCEPTED.0 || stage.0 == SmtpStage::NONE.0)
        {
            return (SmtpStage::TLS, FlowMarks(marks.0 | FlowMarks::TLS));
        }
        if head == STARTTLS {
            return (SmtpStage::STARTTLS_REQUESTED, FlowMarks(marks.0 | FlowMarks::STARTTLS_REQUESTED));
        }
        let verb = head >> 24;
        if verb == EHLO || verb == HELO {
            return (SmtpStage::HELO, marks);
        }
        if verb == MAIL {
            return (SmtpStage::MAIL, marks);
        }
        return (stage, marks);
    }
    let code = head >> 40;
    if code == CODE_220 {
        if stage.0 == SmtpStage::NONE.0 {
            return (SmtpStage::GREETING, marks);
        }
        if stage.0 == SmtpStage::STARTTLS_REQUESTED.0 {
            return (SmtpStage::STARTTLS_ACCEPTED, FlowMarks(marks.0 | FlowMarks::STARTTLS_ACCEPTED));
        }
    }
    if code == CODE_250 && names_starttls && stage.0 == SmtpStage::HELO.0 {
        return (SmtpStage::STARTTLS_OFFERED, FlowMarks(marks.0 | FlowMarks::STARTTLS_OFFERED));
    }
    (stage, marks)
}

/// `STARTTLS` as a head.
pub const STARTTLS: u64 = u64::from_be_bytes(*b"STARTTLS");
const EHLO: u64 = u64::from_be_bytes(*b"\0\0\0EHLO ");
const HELO: u64 = u64::from_be_bytes(*b"\0\0\0HELO ");
const MAIL: u64 = u64::from_be_bytes(*b"\0\0\0MAIL ");
const CODE_220: u64 = u64::from_be_bytes(*b"\0\0\0\0\x00220");
const CODE_250: u64 = u64::from_be_bytes(*b"\0\0\0\0\x00250");

/// An ASCII letter in upper case, anything else as it is.
#[inline(always)]
pub const fn upper(octet: u8) -> u8 {
    if octet >= b'a' && octet <= b'z' { octet - 32 } else { octet }
}

#[cfg(test)]
mod tests;
