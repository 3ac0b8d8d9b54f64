//! A small cache that forgets what was not used for longest.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// A cache of a bounded number of values. Looking up is one hash; only when it is full does adding walk it.
#[derive(Debug)]
pub(crate) struct BoundedCache<K, V> {
    entries: Mutex<Entries<K, V>>,
    limit: usize,
}

#[derive(Debug)]
struct Entries<K, V> {
    values: HashMap<K, (V, u64)>,
    uses: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> BoundedCache<K, V> {
    /// Of at most `limit` values.
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: Mutex::new(Entries { values: HashMap::new(), uses: 0 }), limit }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let now = entries.uses;
        let (value, used) = entries.values.get_mut(key)?;
        *used = now;
        Some(value.clone())
    }

    /// Adds a value, unless another was faster; gives the one that is there now.
    pub(crate) fn add(&self, key: K, value: V) -> V {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.values.len() >= self.limit && !entries.values.contains_key(&key) {
            let oldest = entries.values.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                entries.values.remove(&oldest);
            }
        }
        entries.uses += 1;
        let now = entries.uses;
        entries.values.entry(key).or_insert((value, now)).0.clone()
    }

    /// Adds a value or takes the place of the one there.
    pub(crate) fn put(&self, key: K, value: V) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).values.remove(&key);
        self.add(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::BoundedCache;

    #[test]
    fn what_was_not_used_for_longest_is_forgotten() {
        let cache = BoundedCache::new(2);
        assert_eq!(cache.add('a', 1), 1);
        assert_eq!(cache.add('b', 2), 2);
        assert_eq!(cache.get(&'a'), Some(1));
        assert_eq!(cache.add('c', 3), 3);
        assert_eq!([cache.get(&'a'), cache.get(&'b'), cache.get(&'c')], [Some(1), None, Some(3)]);
    }

    #[test]
    fn the_first_value_of_a_key_stays() {
        let cache = BoundedCache::new(1);
        assert_eq!(cache.add('a', 1), 1);
        assert_eq!(cache.add('a', 2), 1);
        cache.put('a', 3);
        assert_eq!(cache.get(&'a'), Some(3));
    }
}
