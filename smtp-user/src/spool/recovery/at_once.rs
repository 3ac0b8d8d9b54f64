//! Asks a disk for many things at the same time: one thing after the other, most of a start is spent waiting.

/// Things that are asked for at the same time.
const AT_A_TIME: usize = 32;
/// As few as these are asked for one after the other.
const FEW: usize = 64;

/// Does the same to all of some things, and gives what came of it in their order.
pub(super) fn map<T: Sync, R: Send>(things: &[T], ask: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if things.len() <= FEW {
        return things.iter().map(ask).collect();
    }
    let ask = &ask;
    let share = things.len().div_ceil(AT_A_TIME);
    std::thread::scope(|scope| {
        let ask_some = move |some: &[T]| -> Vec<R> { some.iter().map(ask).collect() };
        let threads: Vec<_> = things
            .chunks(share)
            .map(|some| {
                let thread = std::thread::Builder::new().spawn_scoped(scope, move || ask_some(some));
                // Without a thread to be had, it is done here.
                thread.map_err(|_| some)
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| match thread {
                Ok(thread) => thread.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault)),
                Err(some) => ask_some(some),
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        for count in [0, 1, FEW, FEW + 1, AT_A_TIME * 7 + 5] {
            let things: Vec<usize> = (0..count).collect();
            assert_eq!(
                map(&things, |thing| thing * 2),
                things.iter().map(|thing| thing * 2).collect::<Vec<_>>()
            );
        }
    }
}
