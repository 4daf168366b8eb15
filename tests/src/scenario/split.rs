//! Where bodies are cut.

/// The ways to cut `body`, besides not at all: at every place, into single bytes, and with an empty
/// last piece. A driver for which that would take too long gets a few places, ends included.
pub(super) fn splits(body: &[u8], few: bool) -> Vec<Vec<Vec<u8>>> {
    if body.len() < 2 {
        return Vec::new();
    }
    let places: Vec<_> = if few {
        [1, body.len() / 3, body.len() / 2, body.len() - 1].to_vec()
    } else {
        (1..body.len()).collect()
    };
    let two = |at: usize| vec![body[..at].to_vec(), body[at..].to_vec()];
    let mut ways: Vec<_> = places.into_iter().filter(|&at| at > 0).map(two).collect();
    let piece = if few { body.len().div_ceil(64) } else { 1 };
    ways.push(body.chunks(piece).map(<[u8]>::to_vec).collect());
    ways.push(vec![body.to_vec(), Vec::new()]);
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_cut_a_body_is_the_body() {
        for few in [true, false] {
            let body: Vec<u8> = (0..=255).collect();
            let ways = splits(&body, few);
            assert!(ways.iter().all(|way| way.concat() == body));
            assert_eq!(ways.len() > 200, !few);
        }
        assert!(splits(b"x", false).is_empty());
    }
}
