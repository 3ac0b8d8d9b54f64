//! `inspection` in `[[resource]]`: how much of a message is looked at.

use std::ops::Range;
use std::str::FromStr;

use crate::app::config::problem::ConfigProblem;
use crate::inspect::inspector::Inspector;
use crate::policy::action::UnknownWord;
use crate::policy::toml_table::TableReader;

/// How much of a message is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Every part, by every stage.
    #[default]
    Full,
    /// Nothing: the dialogue is followed and its limits hold, and messages pass unseen, which is told of each.
    None,
}

impl FromStr for Extent {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "full" => Ok(Self::Full),
            "none" => Ok(Self::None),
            _ => Err(UnknownWord::new(text, "an extent of inspection", &["full", "none"])),
        }
    }
}

impl Extent {
    /// What looks at messages to this extent.
    pub fn of(self, inspector: &Inspector) -> Inspector {
        match self {
            Self::Full => inspector.clone(),
            Self::None => inspector.without_looking(),
        }
    }
}

/// Reads it; that nothing is looked at should be meant.
pub(super) fn read(reader: &mut TableReader<'_>, doubts: &mut Vec<(Range<usize>, ConfigProblem)>) -> Extent {
    let extent = reader.word("inspection").unwrap_or_default();
    if extent == Extent::None {
        doubts.push((reader.span_of("inspection").unwrap_or_default(), ConfigProblem::PassesUnseen));
    }
    extent
}

#[cfg(test)]
mod tests {
    use super::Extent;
    use crate::app::config::Config;

    fn parse(line: &str) -> Result<(Extent, Vec<String>), String> {
        let text = format!(
            "[gateway]\ninterfaces = [\"eth0\"]\n[[rule]]\nname = \"mail\"\nservice = [\"smtp\"]\n\
             action = \"inspect\"\nresource = \"out\"\n[[resource]]\nname = \"out\"\n{line}\n"
        );
        let config = Config::parse(&text, "test.toml").map_err(|error| error.to_string())?;
        let warnings = config.warnings.iter().map(ToString::to_string);
        let warnings = warnings.filter(|warning| warning.contains("pass unseen")).collect();
        Ok((config.resources[0].inspection, warnings))
    }

    #[test]
    fn everything_is_looked_at_unless_it_is_said_otherwise_which_is_doubtful() {
        for line in ["", "inspection = \"full\""] {
            assert_eq!(parse(line).unwrap(), (Extent::Full, Vec::new()));
        }
        let (extent, warnings) = parse("inspection = \"none\"").unwrap();
        assert_eq!((extent, warnings.len()), (Extent::None, 1));
        assert!(warnings[0].contains("test.toml:10:"), "{warnings:?}");
    }

    #[test]
    fn another_word_is_a_mistake_with_a_suggestion() {
        let text = parse("inspection = \"ful\"").unwrap_err();
        assert!(text.contains("test.toml:10:") && text.contains("write `full`"), "{text}");
    }
}
