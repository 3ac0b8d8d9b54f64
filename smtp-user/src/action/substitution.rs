//! What matches a pattern, and what comes in its place. On the left `*` stands for any octets and `?` for one, and letters
//! match in either case; on the right `&` stands for what `*` matched. A backslash takes its meaning from each.

use std::ops::Range;

/// A pattern and its replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substitution {
    left: Vec<Token>,
    right: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// In lower case.
    Literal(u8),
    One,
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// What this star matched; `None`: all of it.
    Matched(Option<usize>),
}

/// What is put in place of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'s> {
    /// These octets.
    Literal(&'s str),
    /// Octets of the text that matched.
    Matched(Range<usize>),
}

/// Why there is no such substitution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubstitutionError {
    /// It would match empty texts only.
    #[error("an empty pattern matches nothing; `*` matches everything")]
    EmptyLeft,
    /// A backslash at the end.
    #[error("a backslash stands before `*`, `?`, `&` or another backslash")]
    Escape,
    /// Nobody knows which is meant.
    #[error("`&` stands for what `*` matched, and there are {stars} of that and {references} of `&`")]
    References {
        /// Stars on the left.
        stars: usize,
        /// `&` on the right.
        references: usize,
    },
    /// It does not belong into a header or an envelope.
    #[error("only printable ASCII may stand here")]
    Character,
    /// Longer than a line should be.
    #[error("more than {MAX_OCTETS} characters")]
    Length,
}

/// Octets of either side at most.
pub const MAX_OCTETS: usize = 500;

impl Substitution {
    /// Reads both sides. The first `&` stands for what the first `*` matched, the second for the second; if there is one `*`,
    /// each stands for that, and without any for the whole.
    pub fn parse(left: &str, right: &str) -> Result<Self, SubstitutionError> {
        if left.is_empty() {
            return Err(SubstitutionError::EmptyLeft);
        }
        for side in [left, right] {
            if !side.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
                return Err(SubstitutionError::Character);
            }
            if side.len() > MAX_OCTETS {
                return Err(SubstitutionError::Length);
            }
        }
        let left = tokens(left)?;
        let stars = left.iter().filter(|token| **token == Token::Any).count();
        let right = pieces(right, stars)?;
        Ok(Self { left, right })
    }

    /// Whether it matches everything, whatever it is.
    pub fn matches_everything(&self) -> bool {
        self.left.iter().all(|token| *token == Token::Any)
    }

    /// Whether it puts nothing in place of what it matches.
    pub fn is_removal(&self) -> bool {
        self.right.is_empty()
    }

    /// Whether a text can have a match in it: it has the longest run of letters that the pattern has.
    pub fn may_match_within(&self, text: &[u8]) -> bool {
        let runs = self.left.split(|token| !matches!(token, Token::Literal(_)));
        let Some(run) = runs.max_by_key(|run| run.len()).filter(|run| !run.is_empty()) else { return true };
        text.windows(run.len()).any(|window| {
            window.iter().zip(run).all(|(octet, token)| *token == Token::Literal(octet.to_ascii_lowercase()))
        })
    }

    /// What comes in place of a text; `None` if it does not match as a whole. Time is bounded by the product of the lengths.
    pub fn of(&self, text: &[u8]) -> Option<Vec<Part<'_>>> {
        let stars = self.matched(text)?;
        let part = |piece: &'_ Piece| match piece {
            Piece::Matched(None) => Some(0..text.len()),
            Piece::Matched(Some(star)) => stars.get(*star).cloned(),
            Piece::Literal(_) => None,
        };
        let parts = self.right.iter().map(|piece| match (piece, part(piece)) {
            (Piece::Literal(octets), _) => Part::Literal(octets),
            (_, range) => Part::Matched(range.unwrap_or_default()),
        });
        Some(parts.collect())
    }

    /// What each star takes of a text that matches: as little as it can, from the left.
    fn matched(&self, text: &[u8]) -> Option<Vec<Range<usize>>> {
        let (mut token, mut at) = (0, 0);
        let mut stars: Vec<Range<usize>> = Vec::new();
        // Behind the last star.
        let mut behind = None;
        while at < text.len() {
            match (self.left.get(token), text.get(at)) {
                (Some(Token::Any), _) => {
                    stars.push(at..at);
                    token += 1;
                    behind = Some(token);
                }
                (Some(Token::One), _) => (token, at) = (token + 1, at + 1),
                (Some(Token::Literal(wanted)), Some(found)) if *wanted == found.to_ascii_lowercase() => {
                    (token, at) = (token + 1, at + 1);
                }
                _ => {
                    let (star, back) = stars.last_mut().zip(behind)?;
                    star.end += 1;
                    (token, at) = (back, star.end);
                }
            }
        }
        for rest in self.left.get(token..)? {
            if *rest != Token::Any {
                return None;
            }
            stars.push(at..at);
        }
        Some(stars)
    }
}

/// The parts of a replacement put together.
pub fn joined(parts: &[Part<'_>], text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    for part in parts {
        octets.extend_from_slice(match part {
            Part::Literal(literal) => literal.as_bytes(),
            Part::Matched(range) => text.get(range.clone()).unwrap_or_default(),
        });
    }
    octets
}

fn tokens(left: &str) -> Result<Vec<Token>, SubstitutionError> {
    let mut octets = left.bytes();
    let mut tokens = Vec::new();
    while let Some(octet) = octets.next() {
        tokens.push(match octet {
            b'*' => Token::Any,
            b'?' => Token::One,
            b'\\' => Token::Literal(octets.next().ok_or(SubstitutionError::Escape)?.to_ascii_lowercase()),
            octet => Token::Literal(octet.to_ascii_lowercase()),
        });
    }
    Ok(tokens)
}

fn pieces(right: &str, stars: usize) -> Result<Vec<Piece>, SubstitutionError> {
    let mut characters = right.chars();
    let (mut pieces, mut references) = (Vec::new(), 0);
    while let Some(character) = characters.next() {
        let literal = match character {
            '&' => {
                let star = if stars > 1 { references } else { 0 };
                pieces.push(Piece::Matched((stars > 0).then_some(star)));
                references += 1;
                continue;
            }
            '\\' => characters.next().ok_or(SubstitutionError::Escape)?,
            character => character,
        };
        match pieces.last_mut() {
            Some(Piece::Literal(text)) => text.push(literal),
            _ => pieces.push(Piece::Literal(literal.to_string())),
        }
    }
    if stars > 1 && references > stars {
        return Err(SubstitutionError::References { stars, references });
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests;
