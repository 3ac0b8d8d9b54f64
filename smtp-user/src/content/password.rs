//! Passwords that a message names: who sends something encrypted often writes the key beside it.

/// Words of a text that may be a password, the likeliest first, each once.
pub fn candidates(text: &str, max: usize) -> Vec<String> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\u{a0}' | '“' | '”' | '„'))
        .filter(|word| !word.is_empty())
        .take(MAX_WORDS)
        .collect();
    let mut ranked: Vec<(u8, usize, &str)> = Vec::new();
    // Words since one that announces a password.
    let mut since = usize::MAX;
    for (index, word) in words.iter().enumerate() {
        let lower = word.to_lowercase();
        // `Password:secret` in one word.
        if let Some((before, after)) = word.split_once([':', '='])
            && announces(&before.to_lowercase())
            && !after.is_empty()
        {
            ranked.push((0, index, after));
            ranked.push((0, index, bare(after)));
        }
        let bare = bare(word);
        let rank = match since {
            0..=2 => 1,
            3..=5 => 2,
            _ if bare.chars().any(|c| c.is_ascii_digit()) => 3,
            _ => 4,
        };
        ranked.push((rank, index, bare));
        if bare.len() < word.len() {
            ranked.push((rank, index, word));
        }
        since = if announces(&lower) { 0 } else { since.saturating_add(1) };
    }
    ranked.sort_by_key(|(rank, index, _)| (*rank, *index));
    let mut found: Vec<String> = Vec::new();
    for (_, _, word) in ranked {
        if found.len() == max {
            break;
        }
        if (1..=MAX_LENGTH).contains(&word.len()) && !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    found
}

/// Words of a text that are looked at.
const MAX_WORDS: usize = 4000;
/// Octets of a password.
const MAX_LENGTH: usize = 64;

fn announces(lower: &str) -> bool {
    ["pass", "pwd", "pw:", "kennwort", "code", "pin", "mot de passe", "contrase", "senha", "key"]
        .iter()
        .any(|word| lower.contains(word))
}

/// A word without what stands around it in a sentence.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| matches!(c, '.' | ',' | ':' | ';' | '\'' | '(' | ')' | '[' | ']' | '`' | '*'))
}

#[cfg(test)]
mod tests {
    use super::candidates;

    #[test]
    fn what_stands_behind_the_word_comes_first() {
        let text = "Dear all, please find the 3 files. The password is: 'Tr0ub4dor&3'. Bye";
        let found = candidates(text, 5);
        assert!(found.contains(&"Tr0ub4dor&3".to_owned()), "{found:?}");
        assert_eq!(candidates("Password:abc!", 1), ["abc!"]);
        assert_eq!(candidates("<b>PIN</b> <i>4711</i>", 3).iter().filter(|word| *word == "4711").count(), 1);
        assert_eq!(candidates(&"word ".repeat(10_000), 50), ["word"]);
    }
}
