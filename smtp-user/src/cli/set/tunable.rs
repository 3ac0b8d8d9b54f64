//! The tunables: how each is called, written and shown.

use std::time::Duration;

use smtp_common::packet_event::EventKind;
use smtp_common::settings::GatewaySettings;
use smtp_common::tick;

use crate::app::config::duration::format_duration;
use crate::app::config::gateway::{MAX_IDLE, MIN_IDLE};
use crate::cli::word::{self, WordError};

/// A tunable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunable {
    /// `idle.tcp_established`.
    IdleTcpEstablished,
    /// `idle.tcp_half_open`.
    IdleTcpHalfOpen,
    /// `idle.tcp_closing`.
    IdleTcpClosing,
    /// `idle.udp`.
    IdleUdp,
    /// `idle.udp_stream`.
    IdleUdpStream,
    /// `accelerate`.
    Accelerate,
    /// `events`.
    Events,
}

impl Tunable {
    /// Every tunable, in the order in which they are listed.
    pub const ALL: [Self; 7] = [
        Self::IdleTcpEstablished,
        Self::IdleTcpHalfOpen,
        Self::IdleTcpClosing,
        Self::IdleUdp,
        Self::IdleUdpStream,
        Self::Accelerate,
        Self::Events,
    ];

    /// The word on the command line; idle times are called as in the configuration.
    pub const fn key(self) -> &'static str {
        match self {
            Self::IdleTcpEstablished => "idle.tcp_established",
            Self::IdleTcpHalfOpen => "idle.tcp_half_open",
            Self::IdleTcpClosing => "idle.tcp_closing",
            Self::IdleUdp => "idle.udp",
            Self::IdleUdpStream => "idle.udp_stream",
            Self::Accelerate => "accelerate",
            Self::Events => "events",
        }
    }

    /// What a value is.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Accelerate => "on, off",
            Self::Events => "list, or none",
            _ => "duration",
        }
    }

    /// One line.
    pub const fn help(self) -> &'static str {
        match self {
            Self::IdleTcpEstablished => "Idle time after which an established TCP flow ends.",
            Self::IdleTcpHalfOpen => "Time a TCP flow may stay half open.",
            Self::IdleTcpClosing => "Time a finished TCP flow is kept, for stragglers.",
            Self::IdleUdp => "Idle time of a UDP flow that has seen one side only.",
            Self::IdleUdpStream => "Idle time of a UDP flow that has seen both sides.",
            Self::Accelerate => "Off: what would be accelerated is left to the kernel's own routing.",
            Self::Events => "What is reported: opened, closed, refused, dropped, stage, table_full.",
        }
    }

    /// Whether flows that run must be decided again after a change.
    pub const fn decides_flows(self) -> bool {
        matches!(self, Self::Accelerate)
    }

    /// The value, written so that [`Self::write`] reads it.
    pub fn read(self, settings: &GatewaySettings) -> String {
        match self {
            Self::IdleTcpEstablished => idle(settings.idle_tcp_established),
            Self::IdleTcpHalfOpen => idle(settings.idle_tcp_half_open),
            Self::IdleTcpClosing => idle(settings.idle_tcp_closing),
            Self::IdleUdp => idle(settings.idle_udp),
            Self::IdleUdpStream => idle(settings.idle_udp_stream),
            Self::Accelerate => if settings.accelerate == 0 { "off" } else { "on" }.to_owned(),
            Self::Events => {
                let words: Vec<&str> = EVENTS
                    .into_iter()
                    .filter(|(_, kind)| settings.events & kind.bit() != 0)
                    .map(|(word, _)| word)
                    .collect();
                if words.is_empty() { NO_EVENTS.to_owned() } else { words.join(",") }
            }
        }
    }

    /// Reads a value into the settings.
    pub fn write(self, settings: &mut GatewaySettings, text: &str) -> Result<(), WordError> {
        match self {
            Self::IdleTcpEstablished => settings.idle_tcp_established = ticks(text)?,
            Self::IdleTcpHalfOpen => settings.idle_tcp_half_open = ticks(text)?,
            Self::IdleTcpClosing => settings.idle_tcp_closing = ticks(text)?,
            Self::IdleUdp => settings.idle_udp = ticks(text)?,
            Self::IdleUdpStream => settings.idle_udp_stream = ticks(text)?,
            Self::Accelerate => {
                let on = word::one_of(text, "a switch", &[true, false], |on| if on { "on" } else { "off" })?;
                settings.accelerate = u32::from(on);
            }
            Self::Events => settings.events = events(text)?,
        }
        Ok(())
    }
}

/// A tunable by its word.
pub(super) fn by_key(text: &str) -> Result<Tunable, WordError> {
    word::one_of(text, "a tunable", &Tunable::ALL, Tunable::key)
}

fn idle(ticks: u32) -> String {
    // A duration became whole ticks, rounded up; rounding to the nearest millisecond above a tick's loss
    // gives what was written, as long as that was whole tenths of a second.
    let ms = tick::to_ms(ticks);
    let tenths = (ms + 50) / 100;
    let shown = if ms.abs_diff(tenths * 100) <= 2 { tenths * 100 } else { ms };
    format_duration(Duration::from_millis(shown))
}

fn ticks(text: &str) -> Result<u32, WordError> {
    let duration = word::duration(text)?;
    if !(MIN_IDLE..=MAX_IDLE).contains(&duration) {
        let problem = format!(
            "`{text}` is not between {} and {}",
            format_duration(MIN_IDLE),
            format_duration(MAX_IDLE)
        );
        return Err(WordError::new(&problem, None));
    }
    Ok(tick::from_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 1_000_000)))
}

fn events(text: &str) -> Result<u32, WordError> {
    if text == NO_EVENTS {
        return Ok(0);
    }
    text.split(',').try_fold(0, |bits, text| {
        let (_, kind) = word::one_of(text.trim(), "an event", &EVENTS, |(word, _)| word)?;
        Ok(bits | kind.bit())
    })
}

/// Nothing is reported.
const NO_EVENTS: &str = "none";

/// Words of events.
const EVENTS: [(&str, EventKind); 6] = [
    ("opened", EventKind::OPENED),
    ("closed", EventKind::CLOSED),
    ("refused", EventKind::REFUSED),
    ("dropped", EventKind::DROPPED),
    ("stage", EventKind::STAGE),
    ("table_full", EventKind::TABLE_FULL),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> GatewaySettings {
        GatewaySettings::with_keys([1; 11])
    }

    #[test]
    fn what_is_shown_can_be_written() {
        for tunable in Tunable::ALL {
            let shown = tunable.read(&settings());
            let mut other = settings();
            tunable.write(&mut other, &shown).unwrap();
            assert_eq!(other, settings(), "{}", tunable.key());
        }
    }

    #[test]
    fn defaults_are_shown_as_in_the_configuration() {
        let shown: Vec<String> = Tunable::ALL.into_iter().map(|tunable| tunable.read(&settings())).collect();
        assert_eq!(shown, ["2h4m", "30s", "10s", "30s", "3m", "on", "refused,dropped,stage,table_full"]);
    }

    #[test]
    fn written_durations_are_shown_as_they_were_written() {
        for text in ["1s", "1s500ms", "45s", "14d", "1h1m1s100ms"] {
            let mut settings = settings();
            Tunable::IdleUdp.write(&mut settings, text).unwrap();
            assert_eq!(Tunable::IdleUdp.read(&settings), text);
        }
    }

    #[test]
    fn values_out_of_range_are_refused_with_what_was_meant() {
        for (tunable, text, problem) in [
            (Tunable::IdleUdp, "30", "did you mean `30s`?"),
            (Tunable::IdleUdp, "10ms", "not between 1s and 14d"),
            (Tunable::Accelerate, "Off", "did you mean `off`?"),
            (Tunable::Events, "opened,close", "did you mean `closed`?"),
        ] {
            let before = settings();
            let mut after = before;
            let error = tunable.write(&mut after, text).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
            assert_eq!(after, before);
        }
    }

    #[test]
    fn events_can_be_none() {
        let mut settings = settings();
        Tunable::Events.write(&mut settings, "none").unwrap();
        assert_eq!(settings.events, 0);
        assert_eq!(Tunable::Events.read(&settings), "none");
    }
}
