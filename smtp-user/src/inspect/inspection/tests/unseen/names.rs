//! Names of files that one reader takes for another than the next one does.

use super::files::escapes;

type Namer = fn(&str, &str) -> String;

/// What it is called, and the rest of a `Content-Disposition` with the first part of a name and its end.
pub(super) const NAMES: &[(&str, Namer)] = &[
    ("plain name", |name, end| format!("; filename=\"{name}.{end}\"")),
    ("no quotes", |name, end| format!("; filename={name}.{end}")),
    ("capitals", |name, end| format!("; FILENAME=\"{name}.{}\"", end.to_uppercase())),
    ("blank before the equals sign", |name, end| format!("; filename = \"{name}.{end}\"")),
    ("folded", |name, end| format!(";\r\n\tfilename=\r\n \"{name}.{end}\"")),
    ("RFC 2231", |name, end| format!("; filename*=utf-8''{name}%2E{end}")),
    ("RFC 2231 without a character set", |name, end| format!("; filename*={name}%2E{end}")),
    ("RFC 2231 with a language", |name, end| format!("; filename*=us-ascii'en-us'{name}%2E{end}")),
    ("RFC 2231 in UTF-16", |name, end| {
        let wide: String = escapes("%00%", format!("{name}.{end}").as_bytes());
        format!("; filename*=utf-16be''{wide}")
    }),
    ("RFC 2231 in pieces", |name, end| format!("; filename*0=\"{name}\"; filename*1=\".{end}\"")),
    ("RFC 2231 in pieces without order", |name, end| {
        format!(";\r\n filename*2=\"{end}\";\r\n filename*0*=utf-8''{name};\r\n filename*1=.")
    }),
    ("RFC 2231 with a gap", |name, end| format!("; filename*0=\"{name}\"; filename*5=\".{end}\"")),
    ("RFC 2231 beside another", |name, end| format!("; filename=\"b.txt\"; filename*=utf-8''{name}.{end}")),
    ("two names", |name, end| format!("; filename=\"b.txt\"; filename=\"{name}.{end}\"")),
    ("two names the other way", |name, end| format!("; filename=\"{name}.{end}\"; filename=\"b.txt\"")),
    ("many names", |name, end| {
        let others: String = (0..20).fold(String::new(), |text, at| format!("{text}; filename=\"{at}.txt\""));
        format!("{others}; filename=\"{name}.{end}\"")
    }),
    ("RFC 2047", |name, end| format!("; filename=\"=?utf-8?Q?{name}=2E{end}?=\"")),
    ("RFC 2047 without quotes", |name, end| format!("; filename==?utf-8?Q?{name}=2E{end}?=")),
    ("RFC 2047 in two words", |name, end| {
        let (first, second) = end.split_at(1);
        format!("; filename=\"=?utf-8?Q?{name}=2E{first}?=\r\n =?utf-8?Q?{second}?=\"")
    }),
    ("RFC 2047 within RFC 2231", |name, end| {
        let (first, second) = end.split_at(1);
        format!("; filename*0=\"=?utf-8?Q?{name}=2E{first}?=\"; filename*1=\"=?utf-8?Q?{second}?=\"")
    }),
    ("RFC 2047 in UTF-16", |name, end| {
        let wide: String = escapes("=00=", format!("{name}.{end}").as_bytes());
        format!("; filename=\"=?utf-16be?Q?{wide}?=\"")
    }),
    ("RFC 2047 in UTF-7", |name, end| format!("; filename=\"=?utf-7?Q?{name}+AC4-{end}?=\"")),
    ("escapes of addresses", |name, end| format!("; filename=\"{name}%2E{end}\"")),
    ("direction of writing", |name, end| {
        let back: String = "txt".chars().rev().collect();
        format!("; filename=\"{name}\u{202e}{back}.{end}\"")
    }),
    ("characters that are not seen", |name, end| format!("; filename=\"{name}.\u{200b}{end}\u{200b}\"")),
    ("full stops at the end", |name, end| format!("; filename=\"{name}.{end}...\"")),
    ("blanks at the end", |name, end| format!("; filename=\"{name}.{end}   \"")),
    ("hard blank at the end", |name, end| format!("; filename=\"{name}.{end}\u{a0}\"")),
    ("stream", |name, end| format!("; filename=\"{name}.{end}::$DATA\"")),
    ("folder", |name, end| format!("; filename=\"..\\\\..\\\\b.txt\\\\{name}.{end}\"")),
    ("other folder", |name, end| format!("; filename=\"/tmp/{name}.{end}\"")),
    ("quote that does not end", |name, end| format!("; filename=\"{name}.{end}")),
    ("quote that does not end before more", |name, end| format!("; filename=\"{name}.{end}; size=7")),
    ("quotes of one stroke", |name, end| format!("; filename='{name}.{end}'")),
    ("comma", |name, end| format!(", filename=\"{name}.{end}\"")),
    ("no semicolon", |name, end| format!(" filename=\"{name}.{end}\"")),
    ("comment", |name, end| format!("; filename=(b.txt)\"{name}.{end}\"")),
    ("comment behind", |name, end| format!("; filename={name}.{end}(b.txt)")),
    ("escapes of quotes", |name, end| {
        let (first, second) = end.split_at(1);
        format!("; filename=\"{name}\\.{first}\\{second}\"")
    }),
    ("wide letters", |name, end| {
        let wide: String = end.chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap()).collect();
        format!("; filename=\"{name}.{wide}\"; filename=\"{name}.{end}\"")
    }),
];
