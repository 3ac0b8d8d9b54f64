//! "Did you mean": the known word nearest to one that is not known.

/// The candidate that a person most likely meant, if one is near enough to be worth saying.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_lowercase();
    // One slip in a short word, up to three in a long one.
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Candidates in quotes, for "expected one of".
pub fn quoted_list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["accelerate", "watch", "inspect", "drop", "stack"];
        assert_eq!(closest("acclerate", known), Some("accelerate"));
        assert_eq!(closest("Inspect", known), Some("inspect"));
        assert_eq!(closest("dorp", known), Some("drop"));
        assert_eq!(closest("forward", known), None);
        assert_eq!(closest("", known), None);
    }
}
