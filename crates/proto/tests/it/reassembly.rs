//! Laws of split messages.

use bytes::Bytes;
use larkline_proto::header::{DataHeaders, DataKind};
use larkline_proto::reassembly::{PartError, Reassembler, ReassemblyLimits};
use proptest::prelude::*;

use crate::rig::{epoch, secs};

fn headers(id: &str, sum: u32, seq: u32) -> DataHeaders {
    DataHeaders { kind: DataKind::Event, message_id: id.into(), sum, seq, trace_id: None }
}

fn small() -> ReassemblyLimits {
    ReassemblyLimits { parts_max: 8, messages_max: 4, bytes_max: 64, ..ReassemblyLimits::default() }
}

fn put(
    r: &mut Reassembler,
    id: &str,
    sum: u32,
    seq: u32,
    bytes: &'static [u8],
) -> Result<Option<Bytes>, PartError> {
    r.accept(epoch(), &headers(id, sum, seq), Bytes::from_static(bytes))
}

#[test]
fn an_unsplit_message_passes_straight_through() {
    let mut r = Reassembler::new(small());
    for (sum, seq) in [(0, 0), (1, 0), (1, 9)] {
        assert_eq!(put(&mut r, "", sum, seq, b"whole"), Ok(Some("whole".into())));
    }
    assert_eq!(r.messages_held(), 0);
}

#[test]
fn a_complete_message_is_removed_at_once() {
    let mut r = Reassembler::new(small());
    assert_eq!(put(&mut r, "m", 2, 1, b"b"), Ok(None));
    assert_eq!(put(&mut r, "m", 2, 0, b"a"), Ok(Some("ab".into())));
    assert_eq!((r.messages_held(), r.bytes_held()), (0, 0));
    assert_eq!(put(&mut r, "m", 2, 0, b"a"), Ok(None), "a late duplicate completes nothing");
}

#[test]
fn a_duplicate_part_overwrites() {
    let mut r = Reassembler::new(small());
    put(&mut r, "m", 2, 0, b"old").unwrap();
    put(&mut r, "m", 2, 0, b"new").unwrap();
    assert_eq!(put(&mut r, "m", 2, 1, b"!"), Ok(Some("new!".into())));
}

#[test]
fn empty_parts_count() {
    let mut r = Reassembler::new(small());
    put(&mut r, "m", 2, 0, b"").unwrap();
    assert_eq!(put(&mut r, "m", 2, 1, b""), Ok(Some(Bytes::new())));
}

#[test]
fn time_runs_from_the_part_that_began_it() {
    let mut r = Reassembler::new(small());
    let late = epoch() + secs(9);
    put(&mut r, "m", 3, 0, b"a").unwrap();
    r.accept(late, &headers("m", 3, 1), Bytes::from_static(b"b")).unwrap();
    assert_eq!(r.next_expiry(), Some(epoch() + secs(10)));
    assert_eq!(r.accept(epoch() + secs(10), &headers("m", 3, 2), Bytes::new()), Ok(None));
    assert_eq!(r.bytes_held(), 1, "the old parts are gone, the id of the new one is held");
}

#[test]
fn what_cannot_be_used_is_refused() {
    let mut r = Reassembler::new(small());
    assert_eq!(put(&mut r, "", 2, 0, b""), Err(PartError::NoMessageId));
    assert_eq!(put(&mut r, "m", 9, 0, b""), Err(PartError::TooManyParts { sum: 9, max: 8 }));
    assert_eq!(put(&mut r, "m", 2, 2, b""), Err(PartError::SeqOutOfRange { seq: 2, sum: 2 }));
    put(&mut r, "m", 2, 0, b"a").unwrap();
    assert_eq!(put(&mut r, "m", 3, 1, b""), Err(PartError::SumChanged { expected: 2, sum: 3 }));
    assert_eq!(put(&mut r, "m", 2, 1, b"b"), Ok(Some("ab".into())), "a bad part spoils nothing");
}

#[test]
fn a_held_part_does_not_keep_its_whole_frame_alive() {
    let mut r = Reassembler::new(small());
    let frame = Bytes::from(vec![b'x'; 4096]);
    r.accept(epoch(), &headers("m", 2, 0), frame.slice(..1)).unwrap();
    assert!(frame.is_unique());
}

#[test]
fn one_message_too_many_is_refused_and_the_others_go_on() {
    let mut r = Reassembler::new(small());
    for id in ["a", "b", "c", "d"] {
        put(&mut r, id, 2, 0, b"1").unwrap();
    }
    assert_eq!(put(&mut r, "e", 2, 0, b"1"), Err(PartError::TooManyMessages { max: 4 }));
    assert_eq!(put(&mut r, "a", 2, 1, b"2"), Ok(Some("12".into())));
}

#[test]
fn a_message_too_large_is_forgotten_whole() {
    let mut r = Reassembler::new(small());
    put(&mut r, "m", 3, 0, &[b'x'; 50]).unwrap();
    assert_eq!(put(&mut r, "m", 3, 1, &[b'x'; 50]), Err(PartError::TooManyBytes { max: 64 }));
    assert_eq!((r.messages_held(), r.bytes_held()), (0, 0));
}

proptest! {
    #[test]
    fn any_cut_and_any_order_join_to_the_same_bytes(
        payload in prop::collection::vec(any::<u8>(), 0..400),
        cuts in prop::collection::vec(0_usize..400, 0..6),
        order: u64,
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(payload.len())).collect();
        cuts.extend([0, payload.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|w| &payload[w[0]..w[1]]).collect();
        let sum = u32::try_from(parts.len()).unwrap();
        let mut seqs: Vec<u32> = (0..sum).collect();
        fastrand::Rng::with_seed(order).shuffle(&mut seqs);
        let mut r = Reassembler::new(ReassemblyLimits::default());
        let mut joined = Vec::new();
        for seq in seqs {
            let part = Bytes::copy_from_slice(parts[seq as usize]);
            joined.extend(r.accept(epoch(), &headers("m", sum, seq), part).unwrap());
        }
        prop_assert_eq!(joined, vec![Bytes::from(payload)]);
    }

    #[test]
    fn what_is_held_stays_within_its_bounds(
        parts in prop::collection::vec((0_u8..12, 0_u32..12, 0_u32..12, 0_usize..40, 0_u64..4), 0..300),
    ) {
        let limits = small();
        let mut r = Reassembler::new(limits);
        let mut now = epoch();
        for (id, sum, seq, len, wait) in parts {
            now += secs(wait);
            let _refused = r.accept(now, &headers(&id.to_string(), sum, seq), vec![0; len].into());
            prop_assert!(r.bytes_held() <= limits.bytes_max && r.messages_held() <= limits.messages_max);
            prop_assert_eq!(r.messages_held() == 0, r.next_expiry().is_none());
        }
        r.expire(now + secs(11));
        prop_assert_eq!((r.messages_held(), r.bytes_held()), (0, 0));
    }
}
