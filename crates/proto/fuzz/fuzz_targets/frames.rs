//! Length-prefixed messages, a second apart, decoded and reassembled. The same steps replay
//! the committed corpus in `tests/it/frame_corpus.rs`.
#![no_main]

use std::time::{Duration, Instant};

use bytes::Bytes;
use larkline_proto::frame::Frame;
use larkline_proto::header::DataHeaders;
use larkline_proto::reassembly::{Reassembler, ReassemblyLimits};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let limits = ReassemblyLimits { bytes_max: 4096, ..ReassemblyLimits::default() };
    let mut reassembler = Reassembler::new(limits);
    let mut now = Instant::now();
    let mut bytes = input;
    while let Some((prefix, rest)) = bytes.split_first_chunk::<2>() {
        let (message, rest) = rest.split_at(rest.len().min(u16::from_be_bytes(*prefix).into()));
        bytes = rest;
        now += Duration::from_secs(1);
        let Ok(frame) = Frame::decode(Bytes::copy_from_slice(message)) else { continue };
        assert_eq!(Frame::decode(frame.encode().into()), Ok(frame.clone()));
        if let Ok(headers) = DataHeaders::read(&frame) {
            let _refused = reassembler.accept(now, &headers, frame.payload.unwrap_or_default());
            assert!(reassembler.bytes_held() <= limits.bytes_max);
        }
    }
});
