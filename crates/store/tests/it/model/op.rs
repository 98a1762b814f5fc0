//! What may happen to a store.

use proptest::prelude::*;

/// One of them; a `pick` is reduced to what there is to pick from.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// With lanes it is decided with its acceptance.
    Accept {
        n: i64,
        lanes: Option<Vec<u8>>,
    },
    Route {
        pick: usize,
        lanes: Vec<u8>,
    },
    Claim {
        limit: usize,
    },
    Settle {
        pick: usize,
        how: u8,
        replies: usize,
    },
    Merge {
        pick: usize,
        count: usize,
    },
    ClaimRows {
        limit: usize,
    },
    SettleRow {
        pick: usize,
        how: u8,
    },
    Advance {
        ms: i64,
    },
    Expire,
    Boot,
    Withdraw {
        pick: usize,
    },
    Retry {
        pick: usize,
    },
    Drop {
        pick: usize,
    },
}

/// Any operation, the usual ones more often.
pub(super) fn op() -> impl Strategy<Value = Op> {
    let pick = 0..64_usize;
    let lanes = prop::collection::vec(0..3_u8, 0..3);
    prop_oneof![
        4 => (0..20_i64, prop::option::of(lanes.clone()))
            .prop_map(|(n, lanes)| Op::Accept { n, lanes }),
        4 => (pick.clone(), lanes).prop_map(|(pick, lanes)| Op::Route { pick, lanes }),
        4 => (1..4_usize).prop_map(|limit| Op::Claim { limit }),
        5 => (pick.clone(), 0..7_u8, 0..3_usize)
            .prop_map(|(pick, how, replies)| Op::Settle { pick, how, replies }),
        2 => (pick.clone(), 0..4_usize).prop_map(|(pick, count)| Op::Merge { pick, count }),
        4 => (1..4_usize).prop_map(|limit| Op::ClaimRows { limit }),
        5 => (pick.clone(), 0..6_u8).prop_map(|(pick, how)| Op::SettleRow { pick, how }),
        2 => (1..150_i64).prop_map(|ms| Op::Advance { ms }),
        1 => Just(Op::Expire),
        1 => Just(Op::Boot),
        1 => pick.clone().prop_map(|pick| Op::Withdraw { pick }),
        2 => pick.clone().prop_map(|pick| Op::Retry { pick }),
        1 => pick.prop_map(|pick| Op::Drop { pick }),
    ]
}
