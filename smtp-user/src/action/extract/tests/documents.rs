//! Office and PDF.

use lopdf::{Document, Object, dictionary};

use super::{ExtractError, Kind, ROOM, Trait, Weeds, copy, error, extract, traits};
use crate::content::fixture;
use crate::content::fixture::zip::{Entry, archive};

const TYPES: &str = "<?xml version=\"1.0\"?><Types><Default Extension=\"xml\" ContentType=\"a/b\"/>\
    <Override PartName=\"/word/vbaProject.bin\" ContentType=\"x\"/>\
    <Override ContentType='y' PartName='/word/document.xml'></Override></Types>";
const RELATIONS: &str = "<Relationships>\
    <Relationship Id=\"rId1\" Type=\"http://a/vbaProject\" Target=\"vbaProject.bin\"/>\
    <Relationship Id=\"rId2\" Type=\"http://a/styles\" Target=\"styles.xml\"/>\
    <Relationship Id=\"rId3\" Type=\"http://a/attachedTemplate\" Target=\"https://b.example/x?a&gt;b\" TargetMode=\"External\"/>\
    <Relationship Id=\"rId4\" Type=\"http://a/hyperlink\" Target=\"https://c.example/\" TargetMode=\"External\"/>\
    <Relationship Id=\"rId5\" Type=\"http://a/hyperlink\" Target=\"file://d/e\" TargetMode=\"External\"></Relationship>\
    </Relationships>";

fn document(more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut members: Vec<(&str, &[u8])> = vec![
        ("[Content_Types].xml", TYPES.as_bytes()),
        ("word/document.xml", b"<w:document><w:instrText> PAGE </w:instrText></w:document>"),
        ("word/_rels/document.xml.rels", RELATIONS.as_bytes()),
        ("word/styles.xml", b"<styles/>"),
    ];
    members.extend(more);
    let entries: Vec<Entry> = members.iter().map(|(name, octets)| Entry::deflated(name, octets)).collect();
    archive(&entries)
}

fn member(document: &[u8], name: &str) -> Option<String> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(document)).unwrap();
    let mut member = archive.by_name(name).ok()?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut member, &mut text).unwrap();
    Some(text)
}

#[test]
fn macros_go_and_what_names_them() {
    let original = document(&[("word/vbaProject.bin", b"macros"), ("word/media/a.png", b"\x89PNG")]);
    assert!(traits(&original).contains(&Trait::Macros));
    let copied = copy(Kind::Docx, &original);
    assert_eq!(copied.removed.to_string(), "external reference (2), macros");
    let left = traits(&copied.octets);
    assert!(!left.contains(&Trait::Macros), "{left:?}");
    assert_eq!(member(&copied.octets, "word/vbaProject.bin"), None);
    assert_eq!(
        member(&copied.octets, "[Content_Types].xml").unwrap(),
        TYPES.replace("<Override PartName=\"/word/vbaProject.bin\" ContentType=\"x\"/>", "")
    );
    let relations = member(&copied.octets, "word/_rels/document.xml.rels").unwrap();
    assert_eq!(
        relations,
        RELATIONS
            .replace("<Relationship Id=\"rId1\" Type=\"http://a/vbaProject\" Target=\"vbaProject.bin\"/>", "")
            .replace("https://b.example/x?a&gt;b", "about:blank")
            .replace("file://d/e", "about:blank")
    );
    assert_eq!(member(&copied.octets, "word/styles.xml").unwrap(), "<styles/>");
    // A copy of a copy is the copy.
    assert_eq!(extract(Kind::Docx, &copied.octets, &Weeds::default(), ROOM), Ok(None));
}

#[test]
fn what_is_embedded_is_copied_too_or_emptied() {
    let inner =
        archive(&[Entry::deflated("xl/vbaProject.bin", b"macros"), Entry::deflated("xl/a.xml", b"<a/>")]);
    let original =
        document(&[("word/embeddings/sheet.xlsx", &inner), ("word/embeddings/oleObject1.bin", b"MZ..")]);
    let copied = copy(Kind::Docx, &original);
    assert_eq!(copied.removed.count("macros"), 1);
    assert_eq!(copied.removed.count("embedded object"), 1);
    assert_eq!(member(&copied.octets, "word/embeddings/oleObject1.bin").unwrap(), "");
    assert!(!traits(&copied.octets).contains(&Trait::Macros));
    // What was emptied is not emptied again.
    assert_eq!(extract(Kind::Docx, &copied.octets, &Weeds::default(), ROOM), Ok(None));
}

#[test]
fn what_cannot_be_taken_out_is_said() {
    for name in ["xl/macrosheets/sheet1.bin", "xl/dialogsheets/sheet1.xml"] {
        let outcome = error(Kind::Xlsx, &document(&[(name, b"")]));
        assert!(matches!(outcome, ExtractError::Inseparable(_)), "{name}: {outcome}");
    }
    let hidden = b"<w:instrText>D<!-- -->DE c:\\x</w:instrText>";
    let hidden = document(&[("word/header1.xml", hidden.as_slice())]);
    assert!(matches!(error(Kind::Docx, &hidden), ExtractError::Uncertain(_)));
    let wide = document(&[("word/footer1.xml", b"\xff\xfe<\0")]);
    assert!(matches!(error(Kind::Docx, &wide), ExtractError::Uncertain(_)));
    let lies = RELATIONS.replace("Id=\"rId1\"", "Id='x Target=\"y\"' Target=\"z\"");
    let twice = archive(&[Entry::deflated("word/_rels/a.rels", lies.as_bytes())]);
    assert!(matches!(error(Kind::Docx, &twice), ExtractError::Uncertain(_)));
    assert_eq!(extract(Kind::Docx, &document(&[]), &Weeds::default(), 10), Err(ExtractError::TooLarge));
}

/// The copy of a document with another member, of which nothing else goes.
fn weeded(name: &str, text: &str) -> (String, String) {
    let copied = copy(Kind::Docx, &archive(&[Entry::deflated(name, text.as_bytes())]));
    let again = extract(Kind::Docx, &copied.octets, &Weeds::default(), ROOM);
    assert_eq!(again, Ok(None), "a copy of a copy is the copy");
    assert!(traits(&copied.octets).is_empty());
    (copied.removed.to_string(), member(&copied.octets, name).unwrap())
}

#[test]
fn fields_that_call_programs_keep_what_they_show_and_no_instruction() {
    let field = "field that calls another program".to_owned();
    for (before, after) in [
        (
            "<w:p><w:instrText>D</w:instrText><w:instrText xml:space=\"preserve\"> DE c:\\x</w:instrText><w:t>7</w:t></w:p>",
            "<w:p><w:instrText></w:instrText><w:instrText xml:space=\"preserve\"></w:instrText><w:t>7</w:t></w:p>",
        ),
        ("<w:p><x:instrText>&#68;&#x44;EAUTO</x:instrText></w:p>", "<w:p><x:instrText></x:instrText></w:p>"),
        (
            "<w:fldSimple a:instr=\"dde\" w:instr=\"DDE\"></w:fldSimple>",
            "<w:fldSimple a:instr=\"\" w:instr=\"\"></w:fldSimple>",
        ),
        (
            "<w:fldSimple w:dirty=\"true\" w:instr=\" &#68;DEAUTO c:\\x > y\"><w:t>7</w:t></w:fldSimple>",
            "<w:fldSimple w:dirty=\"true\" w:instr=\"\"><w:t>7</w:t></w:fldSimple>",
        ),
    ] {
        assert_eq!(weeded("word/header1.xml", before), (field.clone(), after.to_owned()));
    }
    let link = "<externalLink xmlns=\"x\"><ddeLink ddeService=\"cmd\"><ddeItems><ddeItem/></ddeItems></ddeLink></externalLink>";
    let (removed, text) = weeded("xl/externalLinks/externalLink1.xml", link);
    assert_eq!(removed, "link that calls another program");
    assert_eq!(text, "<externalLink xmlns=\"x\"></externalLink>");
}

#[test]
fn controls_go_and_their_pictures_stay() {
    let relations = "<Relationships><Relationship Id=\"rId1\" Type=\"http://a/control\" Target=\"activeX/activeX1.xml\"/></Relationships>";
    let text = "<w:object><v:shape id=\"s\"/><w:control r:id=\"rId1\" w:name=\"B1\"/></w:object>";
    let sheet = "<worksheet><sheetData/><mc:Choice><controls><control r:id=\"rId1\"><controlPr/></control></controls></mc:Choice></worksheet>";
    let original = archive(&[
        Entry::deflated(
            "[Content_Types].xml",
            b"<Types><Override PartName=\"/word/activeX/activeX1.xml\"/></Types>",
        ),
        Entry::deflated("word/document.xml", text.as_bytes()),
        Entry::deflated("word/_rels/document.xml.rels", relations.as_bytes()),
        Entry::deflated("word/activeX/activeX1.xml", b"<ax:ocx/>"),
        Entry::deflated("word/activeX/_rels/activeX1.xml.rels", relations.as_bytes()),
        Entry::deflated("word/activeX/activeX1.bin", b"x"),
        Entry::deflated("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ]);
    assert!(traits(&original).contains(&Trait::ActiveX));
    let copied = copy(Kind::Docx, &original);
    assert_eq!(copied.removed.to_string(), "controls (3)");
    let text = |name: &str| member(&copied.octets, name);
    assert_eq!(text("word/document.xml").unwrap(), "<w:object><v:shape id=\"s\"/></w:object>");
    assert_eq!(
        text("xl/worksheets/sheet1.xml").unwrap(),
        "<worksheet><sheetData/><mc:Choice></mc:Choice></worksheet>"
    );
    assert_eq!(text("word/_rels/document.xml.rels").unwrap(), "<Relationships></Relationships>");
    assert_eq!(text("[Content_Types].xml").unwrap(), "<Types></Types>");
    assert_eq!(text("word/activeX/activeX1.bin"), None);
    assert!(traits(&copied.octets).is_empty());
}

#[test]
fn an_empty_sheet_stands_for_a_sheet_of_macros() {
    let types = "<Types><Override ContentType=\"application/vnd.ms-excel.macrosheet+xml\" PartName=\"/xl/macrosheets/sheet1.xml\"/></Types>";
    let relations = "<Relationships><Relationship Id=\"rId1\" Type=\"http://a/xlMacrosheet\" Target=\"macrosheets/sheet1.xml\"/></Relationships>";
    let sheet = b"<xm:macrosheet><sheetData><f>EXEC(\"calc\")</f></sheetData></xm:macrosheet>";
    let original = archive(&[
        Entry::deflated("[Content_Types].xml", types.as_bytes()),
        Entry::deflated("xl/workbook.xml", b"<workbook/>"),
        Entry::deflated("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        Entry::deflated("xl/macrosheets/sheet1.xml", sheet),
    ]);
    assert!(traits(&original).contains(&Trait::MacroSheet));
    let copied = copy(Kind::Xlsx, &original);
    assert_eq!(copied.removed.to_string(), "macro sheet");
    let text = |name: &str| member(&copied.octets, name).unwrap();
    assert!(text("xl/worksheets/macrosheet1.xml").contains("<worksheet "));
    assert_eq!(
        text("[Content_Types].xml"),
        "<Types><Override ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml\" \
         PartName=\"/xl/worksheets/macrosheet1.xml\"/></Types>"
    );
    assert!(
        text("xl/_rels/workbook.xml.rels")
            .contains("/relationships/worksheet\" Target=\"worksheets/macrosheet1.xml\"/>")
    );
    assert!(traits(&copied.octets).is_empty());
    assert_eq!(extract(Kind::Xlsx, &copied.octets, &Weeds::default(), ROOM), Ok(None));
}

#[test]
fn old_documents_lose_macros_and_objects() {
    let original = fixture::ole(&[
        ("/WordDocument", &[0; 64]),
        ("/1Table", b"table"),
        ("/Macros/VBA/ThisDocument", b"Sub AutoOpen()"),
        ("/Macros/PROJECT", b"ID="),
        ("/ObjectPool/_1/\u{1}Ole10Native", b"MZ"),
    ]);
    assert!(traits(&original).contains(&Trait::Macros));
    let copied = copy(Kind::Doc, &original);
    assert_eq!(copied.removed.to_string(), "embedded object, macros");
    assert!(traits(&copied.octets).is_empty());
    assert!(memchr::memmem::find(&copied.octets, b"AutoOpen").is_none(), "nothing is left in unused sectors");
    let mut file = cfb::CompoundFile::open(std::io::Cursor::new(copied.octets)).unwrap();
    let mut table = Vec::new();
    std::io::Read::read_to_end(&mut file.open_stream("/1Table").unwrap(), &mut table).unwrap();
    assert_eq!(table, b"table");
}

#[test]
fn old_workbooks_with_macro_sheets_or_a_password_are_not_copied() {
    let macro_sheet = [&[0x85, 0, 8, 0][..], &[0, 0, 0, 0, 0, 1, 1, 0], &[0x0a, 0, 0, 0]].concat();
    let encrypted = [0x2f, 0, 0, 0];
    let sheet = [&[0x85, 0, 8, 0][..], &[0, 0, 0, 0, 0, 0, 1, 0], &[0x0a, 0, 0, 0]].concat();
    let book = |stream: &[u8]| fixture::ole(&[("/Workbook", stream), ("/_VBA_PROJECT_CUR/PROJECT", b"x")]);
    assert_eq!(error(Kind::Xls, &book(&macro_sheet)), ExtractError::Inseparable("macro sheets"));
    assert_eq!(error(Kind::Xls, &book(&encrypted)), ExtractError::Encrypted);
    assert_eq!(copy(Kind::Xls, &book(&sheet)).removed.count("macros"), 1);
}

#[test]
fn old_slides_lose_macros_and_objects_and_nothing_changes_its_place() {
    let object = fixture::ole(&[("/x", b"MZ")]);
    let project = fixture::ole(&[("/VBA/dir", b"Sub Auto_Open()")]);
    for is_compressed in [false, true] {
        let original = fixture::ppt(true, &[(is_compressed, &project), (is_compressed, &object)]);
        assert!(
            traits(&original).contains(&Trait::Macros) && traits(&original).contains(&Trait::EmbeddedObject)
        );
        let copied = copy(Kind::Ppt, &original);
        assert_eq!(copied.removed.to_string(), "embedded object, macros");
        assert!(traits(&copied.octets).is_empty());
        let [was, is] = [&original, &copied.octets].map(|octets| slides_of(octets));
        assert_eq!((was.len(), &was[..16]), (is.len(), &is[..16]));
        let changed = |(was, is): (&u8, &u8)| was == is || *is == 0;
        assert!(was.iter().zip(&is).all(changed), "what goes becomes zeros, and nothing else changes");
        assert_eq!(extract(Kind::Ppt, &copied.octets, &Weeds::default(), ROOM), Ok(None));
    }
    let told = copy(Kind::Ppt, &fixture::ppt(true, &[]));
    assert_eq!((told.removed.count("macros"), traits(&told.octets).len()), (1, 0));
    let silent = copy(Kind::Ppt, &fixture::ppt(false, &[(true, &project)]));
    assert_eq!(silent.removed.to_string(), "macros", "also where the slides do not tell of it");
    assert_eq!(extract(Kind::Ppt, &fixture::ppt(false, &[]), &Weeds::default(), ROOM), Ok(None));
}

#[test]
fn old_slides_that_tell_of_macros_in_another_way_are_not_copied() {
    let mut stream = slides_of(&fixture::ppt(true, &[]));
    let atom = memchr::memmem::find(&stream, b"\x02\0\0\x04").unwrap();
    stream[atom] = 1;
    for stream in [&stream[..], &stream[..atom + 4]] {
        let slides = fixture::ole(&[("/PowerPoint Document", stream)]);
        assert_eq!(error(Kind::Ppt, &slides), ExtractError::Inseparable("macros within its slides"));
    }
}

#[test]
fn old_slides_in_which_taking_out_an_object_would_make_another_are_not_copied() {
    let object = fixture::ole(&[("/x", b"y")]);
    let first = [&object[..], b"no zeros"].concat();
    let mut stream = slides_of(&fixture::ppt(false, &[(false, &first)]));
    // The rest of a header whose beginning is what becomes zeros.
    stream.extend([b"\x11\x10", &(object.len() as u32).to_le_bytes()[..], &object].concat());
    let slides = fixture::ole(&[("/PowerPoint Document", &stream)]);
    assert!(matches!(error(Kind::Ppt, &slides), ExtractError::Uncertain(_)));
}

fn slides_of(octets: &[u8]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::open(std::io::Cursor::new(octets)).unwrap();
    let mut stream = Vec::new();
    std::io::Read::read_to_end(&mut file.open_stream("/PowerPoint Document").unwrap(), &mut stream).unwrap();
    stream
}

#[test]
fn a_pdf_may_open_at_a_place() {
    let mut document = Document::load_mem(&active_pdf()).unwrap();
    let view = document.add_object(vec![Object::Null, Object::Name(b"XYZ".to_vec())]);
    let root = document.trailer.get(b"Root").unwrap().as_reference().unwrap();
    document.get_object_mut(root).unwrap().as_dict_mut().unwrap().set("OpenAction", view);
    let mut octets = Vec::new();
    document.save_to(&mut octets).unwrap();
    let copied = copy(Kind::Pdf, &octets);
    assert!(memchr::memmem::find(&copied.octets, b"/OpenAction").is_some());
    assert!(traits(&copied.octets).is_empty(), "{:?}", traits(&copied.octets));
}

/// A document with a script, actions, a file within, and a page with a link.
fn active_pdf() -> Vec<u8> {
    let mut document = Document::load_mem(&fixture::pdf("a.exe", b"MZ")).unwrap();
    let link = document.add_object(dictionary! {
        "Type" => "Annot", "Subtype" => "Link",
        "A" => dictionary! { "S" => "URI", "URI" => Object::string_literal("https://a.example/") },
    });
    let file = document.add_object(dictionary! {
        "Type" => "Annot", "Subtype" => "FileAttachment", "Rect" => vec![1.into(), 2.into(), 3.into(), 4.into()],
    });
    let script = dictionary! { "S" => "JavaScript", "JS" => Object::string_literal("app.alert(1)") };
    let button = document.add_object(dictionary! {
        "Type" => "Annot", "Subtype" => "Widget", "A" => dictionary! { "S" => "Launch", "F" => "cmd.exe" },
        "AA" => dictionary! { "D" => script.clone() },
    });
    let page = document.add_object(dictionary! {
        "Type" => "Page", "Annots" => vec![link.into(), file.into(), button.into()],
    });
    let root = document.trailer.get(b"Root").unwrap().as_reference().unwrap();
    let catalog = document.get_object_mut(root).unwrap().as_dict_mut().unwrap();
    catalog.set("OpenAction", script);
    catalog.set("Lang", Object::string_literal("en"));
    catalog.set("PageX", page);
    let mut octets = Vec::new();
    document.save_to(&mut octets).unwrap();
    octets
}

#[test]
fn scripts_actions_and_files_go_from_a_pdf() {
    let original = active_pdf();
    let before = traits(&original);
    for has in [Trait::Javascript, Trait::LaunchAction, Trait::OpenAction, Trait::EmbeddedFile] {
        assert!(before.contains(&has), "{has:?}");
    }
    let copied = copy(Kind::Pdf, &original);
    for what in ["script", "action", "embedded file", "annotation with content"] {
        let known = copied.removed.count(what) > 0 || what == "script";
        assert!(known, "{what}: {}", copied.removed);
    }
    assert!(traits(&copied.octets).is_empty(), "{:?}", traits(&copied.octets));
    for gone in [b"app.alert".as_slice(), b"cmd.exe", b"MZ"] {
        assert!(memchr::memmem::find(&copied.octets, gone).is_none());
    }
    assert!(memchr::memmem::find(&copied.octets, b"https://a.example/").is_some(), "a link stays");
    assert_eq!(extract(Kind::Pdf, &copied.octets, &Weeds::default(), ROOM), Ok(None));
}
