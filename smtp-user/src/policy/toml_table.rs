//! Reads a TOML table key by key and writes down every mistake on the way, instead of stopping at the first.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::policy::mistake::{Mistake, Problem};
use crate::policy::suggest;

/// A table that is being read.
#[derive(Debug)]
pub struct TableReader<'t> {
    table: &'t DeTable<'t>,
    span: Range<usize>,
    place: &'static str,
    mistakes: Vec<Mistake>,
}

impl<'t> TableReader<'t> {
    /// Starts to read a table. `place` is what people call it; keys that are not in `keys` are mistakes.
    pub fn new(
        table: &'t DeTable<'t>,
        span: Range<usize>,
        place: &'static str,
        keys: &'static [&'static str],
    ) -> Self {
        let unknown = table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref()));
        let mistakes = unknown
            .map(|key| {
                let problem = Problem::UnknownKey {
                    key: key.get_ref().to_string(),
                    place,
                    expected: suggest::quoted_list(keys.iter().copied()),
                    suggestion: suggest::closest(key.get_ref(), keys.iter().copied()).map(str::to_owned),
                };
                Mistake::new(key.span(), problem)
            })
            .collect();
        Self { table, span, place, mistakes }
    }

    /// What was wrong.
    pub fn finish(self) -> Vec<Mistake> {
        self.mistakes
    }

    /// Where the table stands.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Where the value of a key stands.
    pub fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.value(key).map(Spanned::span)
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// Writes down a mistake.
    pub fn mistake(&mut self, span: Range<usize>, problem: impl Into<Problem>) {
        self.mistakes.push(Mistake::new(span, problem));
    }

    /// Takes over the mistakes of a table within this one.
    pub fn adopt(&mut self, mistakes: Vec<Mistake>) {
        self.mistakes.extend(mistakes);
    }

    /// Writes down a mistake when a key without a default is missing.
    pub fn require(&mut self, key: &'static str) {
        if self.value(key).is_none() {
            self.mistake(self.span(), Problem::MissingKey { key, place: self.place });
        }
    }

    /// A string.
    pub fn text(&mut self, key: &'static str) -> Option<Spanned<&'t str>> {
        let value = self.value(key)?;
        self.as_text(key, "a string", value)
    }

    /// A string that is one of a kind of words.
    pub fn word<T: FromStr<Err: Into<Problem>>>(&mut self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        self.parsed(&text, T::from_str)
    }

    /// A string that is a duration. Older files, and other programs' files, have numbers of seconds.
    pub fn duration(&mut self, key: &'static str) -> Option<Spanned<&'t str>> {
        const EXPECTED: &str = "a duration in quotes";
        let value = self.value(key)?;
        if let DeValue::Integer(seconds) = value.get_ref() {
            let suggestion = Some(format!("{key} = \"{}s\"", seconds.as_str()));
            self.wrong_type(key, EXPECTED, value, suggestion);
            return None;
        }
        self.as_text(key, EXPECTED, value)
    }

    /// A list of strings; an empty one is a mistake.
    pub fn texts(&mut self, key: &'static str) -> Vec<Spanned<&'t str>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value.get_ref() else {
            let suggestion = match value.get_ref() {
                DeValue::String(text) => Some(format!("{key} = [{text:?}]")),
                _ => None,
            };
            self.wrong_type(key, "a list of strings", value, suggestion);
            return Vec::new();
        };
        if array.is_empty() {
            self.mistake(value.span(), Problem::EmptyList { key: key.to_owned() });
        }
        array.iter().filter_map(|element| self.as_text(key, "a list of strings", element)).collect()
    }

    /// A list of strings, each of which is read by `parse`.
    pub fn list<T, E: Into<Problem>>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let texts = self.texts(key);
        texts.iter().filter_map(|text| self.parsed(text, &parse)).collect()
    }

    /// A whole number.
    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let DeValue::Integer(integer) = value.get_ref() else {
            let suggestion = match value.get_ref() {
                DeValue::String(text) => text.parse::<u64>().ok().map(|number| format!("{key} = {number}")),
                _ => None,
            };
            self.wrong_type(key, "a whole number", value, suggestion);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fitting = number.filter(|number| range.contains(number));
        if fitting.is_none() {
            self.mistake(value.span(), Problem::OutOfRange { key, min: *range.start(), max: *range.end() });
        }
        fitting
    }

    /// `true` or `false`; older files write 1 and 0.
    pub fn switch(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(on) => Some(*on),
            DeValue::Integer(number) => {
                let suggestion = Some(format!("{key} = {}", number.as_str() != "0"));
                self.wrong_type(key, "true or false", value, suggestion);
                None
            }
            _ => {
                self.wrong_type(key, "true or false", value, None);
                None
            }
        }
    }

    /// Reads a string by `parse`.
    pub fn parsed<T, E: Into<Problem>>(
        &mut self,
        text: &Spanned<&str>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(text.get_ref()).map_err(|problem| self.mistake(text.span(), problem)).ok()
    }

    /// Writes down that a value is of another kind than its key takes.
    pub fn wrong_type(
        &mut self,
        key: &str,
        expected: &'static str,
        value: &Spanned<DeValue<'_>>,
        suggestion: Option<String>,
    ) {
        let found = kind(value.get_ref());
        self.mistake(value.span(), Problem::WrongType { key: key.to_owned(), expected, found, suggestion });
    }

    fn as_text(
        &mut self,
        key: &'static str,
        expected: &'static str,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Option<Spanned<&'t str>> {
        if let DeValue::String(text) = value.get_ref() {
            Some(Spanned::new(value.span(), text.as_ref()))
        } else {
            self.wrong_type(key, expected, value, None);
            None
        }
    }
}

/// What people call a kind of value.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
