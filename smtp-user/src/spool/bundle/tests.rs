use super::*;
use crate::model::session_id::SessionId;

fn id(number: u32) -> MessageId {
    MessageId { session: SessionId::new(1, [1; 10]), number }
}

fn three() -> (Vec<u8>, Vec<Slot>) {
    encode(&[(id(1), b"first\n"), (id(2), b""), (id(3), b"the third\n")])
}

#[test]
fn each_message_is_found_where_it_was_put() {
    let (octets, slots) = three();
    let listed = list(id(1), &octets).unwrap().unwrap();
    assert_eq!(listed.iter().map(|listed| listed.id).collect::<Vec<_>>(), [id(1), id(2), id(3)]);
    assert_eq!(listed.iter().map(|listed| listed.slot).collect::<Vec<_>>(), slots);
    assert!(listed.iter().all(|listed| listed.is_there));
    let content = |slot: &Slot| read(&octets, slot.offset, slot.octets).unwrap();
    assert_eq!(slots.iter().map(content).collect::<Vec<_>>(), [&b"first\n"[..], b"", b"the third\n"]);
}

#[test]
fn what_is_marked_is_gone_and_the_others_are_counted() {
    let (mut octets, slots) = three();
    octets[usize::try_from(slots[1].mark).unwrap()] = GONE;
    let listed = list(id(1), &octets).unwrap().unwrap();
    assert_eq!(listed.iter().map(|listed| listed.is_there).collect::<Vec<_>>(), [true, false, true]);
    assert!(listed.iter().all(|listed| listed.slot.of == 2));
    // A mark that is neither is no reason to lose a message.
    octets[usize::try_from(slots[0].mark).unwrap()] = 0;
    assert!(list(id(1), &octets).unwrap().unwrap()[0].is_there);
}

#[test]
fn a_table_that_was_changed_or_cut_is_not_believed() {
    let (sound, slots) = three();
    let table = usize::try_from(slots[2].mark).unwrap() + 2;
    for at in table..sound.len() {
        let mut changed = sound.clone();
        changed[at] ^= 1;
        assert_eq!(list(id(1), &changed).unwrap(), None, "octet {at}");
    }
    for octets in 0..sound.len() {
        assert_eq!(list(id(1), &sound[..octets].to_vec()).unwrap(), None, "{octets} octets");
    }
}
