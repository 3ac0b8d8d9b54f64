//! Numbers of octets as people write them: `64MiB`, `4GiB`.

/// Units, from the largest to the smallest, as powers of two.
const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// Reads a number of octets: a whole number with a unit.
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let malformed = || SizeError { text: text.to_owned(), suggestion: suggestion(text) };
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| malformed())?;
    let (_, power) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
    number.checked_mul(1 << power).ok_or_else(malformed)
}

/// Writes a number of octets in the largest unit of which it is a multiple; [`parse_size`] reads it.
pub fn format_size(octets: u64) -> String {
    let fits = |power: &u32| octets.trailing_zeros() >= *power && octets != 0;
    let unit = UNITS.iter().find(|(_, power)| fits(power));
    unit.map_or_else(|| format!("{octets} octets"), |(name, power)| format!("{}{name}", octets >> power))
}

/// Usually a number without its unit, or with a decimal one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a number of octets such as `64MiB` or `4GiB`")]
pub struct SizeError {
    text: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

fn suggestion(text: &str) -> Option<String> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace() && *c != '_').collect();
    let digits = compact.find(|c: char| !c.is_ascii_digit()).unwrap_or(compact.len());
    let (number, unit) = compact.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" if number.trailing_zeros() >= 10 && number > 0 => return Some(format_size(number)),
        "" | "m" | "mb" | "mib" => "MiB",
        "k" | "kb" | "kib" => "KiB",
        "g" | "gb" | "gib" => "GiB",
        "t" | "tb" | "tib" => "TiB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_back() {
        for (text, octets) in [("64MiB", 64 << 20), ("4GiB", 4 << 30), ("1KiB", 1024), ("3TiB", 3 << 40)] {
            assert_eq!(parse_size(text), Ok(octets));
            assert_eq!(format_size(octets), text);
        }
    }

    #[test]
    fn other_texts_are_refused_with_what_was_meant() {
        for (text, suggestion) in [
            ("64", Some("64MiB")),
            ("67108864", Some("64MiB")),
            ("64 MiB", Some("64MiB")),
            ("64mb", Some("64MiB")),
            ("2G", Some("2GiB")),
            ("", None),
            ("MiB", None),
            ("1.5GiB", None),
            ("99999999999999TiB", Some("99999999999999TiB")),
        ] {
            assert_eq!(parse_size(text).unwrap_err().suggestion.as_deref(), suggestion, "{text}");
        }
    }
}
