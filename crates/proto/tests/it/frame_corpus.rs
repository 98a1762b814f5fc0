//! Replays the committed corpus of the fuzz target as an ordinary test, and throws random
//! bytes at the same entry.

use bytes::Bytes;
use larkline_proto::frame::Frame;
use larkline_proto::header::DataHeaders;
use larkline_proto::reassembly::{Reassembler, ReassemblyLimits};
use proptest::prelude::*;

use crate::rig::{epoch, secs};
use crate::vectors::vector;

/// What `fuzz_targets/frames.rs` does with one input: length-prefixed messages, a second
/// apart, decoded and reassembled.
fn replay(mut bytes: &[u8]) {
    let limits = ReassemblyLimits { bytes_max: 4096, ..ReassemblyLimits::default() };
    let mut reassembler = Reassembler::new(limits);
    let mut now = epoch();
    while let Some((prefix, rest)) = bytes.split_first_chunk::<2>() {
        let (message, rest) = rest.split_at(rest.len().min(u16::from_be_bytes(*prefix).into()));
        bytes = rest;
        now += secs(1);
        let Ok(frame) = Frame::decode(Bytes::copy_from_slice(message)) else { continue };
        assert_eq!(Frame::decode(frame.encode().into()), Ok(frame.clone()));
        if let Ok(headers) = DataHeaders::read(&frame) {
            let _refused = reassembler.accept(now, &headers, frame.payload.unwrap_or_default());
            assert!(reassembler.bytes_held() <= limits.bytes_max);
        }
    }
}

#[test]
fn the_committed_corpus_is_survived() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/frames");
    let mut seen = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        replay(&std::fs::read(entry.unwrap().path()).unwrap());
        seen += 1;
    }
    assert!(seen >= 8, "the corpus has {seen} inputs");
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes: Vec<u8>) {
        replay(&bytes);
    }

    #[test]
    fn a_frame_with_one_byte_changed_is_survived(name in 1_usize..13, at: usize, byte: u8) {
        let mut message = vector(&format!("V{name}")).to_vec();
        let at = at % message.len();
        message[at] = byte;
        let mut input = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
        input.extend(message);
        replay(&input);
    }
}
