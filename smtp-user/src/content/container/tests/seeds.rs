//! Sound containers as files: what a fuzzer begins with.

use std::path::PathBuf;

use super::sound::MAKERS;
use crate::content::fixture::zip::{Entry, archive, one};

#[test]
#[ignore = "writes files for `cargo xtask fuzz --seeds`, into the folder that POSTERN_SEEDS names"]
fn seeds_are_written() {
    let folder = PathBuf::from(std::env::var_os("POSTERN_SEEDS").expect("POSTERN_SEEDS names a folder"));
    let content = b"<html><script>x()</script><a href=\"javascript:x\">text</a></html>\r\n";
    for (name, _, make) in MAKERS {
        std::fs::write(folder.join(name), make(content)).unwrap();
        std::fs::write(folder.join(format!("{name}, in a zip")), one("a", &make(content))).unwrap();
    }
    std::fs::write(folder.join("html"), content).unwrap();
    let page = Entry::deflated("a.html", content);
    let inner = archive(&[page.clone(), Entry::stored("b.txt", b"text")]);
    let documents = archive(&[Entry::stored("in.zip", &inner), page, Entry::deflated("c.bin", b"\x01\x02")]);
    std::fs::write(folder.join("documents in archives"), documents).unwrap();
}
