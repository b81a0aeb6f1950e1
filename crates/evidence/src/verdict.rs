//! What the drawn validators' words come to. No majority ends a dispute: one that differs is enough to open one.

use domain::{Finding, Verdict};

/// What a validator says of its sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// What it found.
    pub finding: Finding,
    /// [`result`] of what it computed itself; of no meaning where it computed nothing.
    pub result: [u8; 32],
}

/// What a validator computed, in one word: `keccak256` of the leaves that follow its segments, in the order of the segments.
pub fn result(leaves: &[[u8; 32]]) -> [u8; 32] {
    let parts: Vec<&[u8]> = leaves.iter().map(<[u8; 32]>::as_slice).collect();
    crate::keccak(&parts)
}

/// What [`result`] is where the work is as committed to: of the leaf after each drawn segment, and of the outputs' leaf where
/// the last segment is drawn and the commitment binds outputs. `leaves` are all of the commitment's, of which `segments + 1`
/// are states. `None` where there is no such leaf.
pub fn committed_result(leaves: &[[u8; 32]], segments: u32, drawn: &[u32]) -> Option<[u8; 32]> {
    let leaf = |index: u32| leaves.get(usize::try_from(index).ok()?).copied();
    let mut parts = Vec::new();
    for segment in drawn {
        parts.push(leaf(segment.checked_add(1)?)?);
        if *segment + 1 == segments {
            parts.extend(leaf(segments + 1));
        }
    }
    Some(result(&parts))
}

/// The verdict of these words. Who is silent has lost its say, and its stake elsewhere. Validators that differ from the provider
/// must agree with one another: work that comes out otherwise on each machine shows nothing about the provider.
///
/// Whoever holds the states chooses whom it gives them to. So states that some could not open are nobody's word against the
/// provider, or a single corrupt validator, left alone by keeping them from all others, could fail any work; and not a reason
/// to refund either, or keeping them from one would save the price. The provider may show that it handed them over.
pub fn verdict(words: &[Word]) -> Verdict {
    let said = |what: Finding| words.iter().any(|word| word.finding == what);
    let mut others = words.iter().filter(|word| word.finding == Finding::Differs).map(|word| word.result);
    let first = others.next();
    let agreed = others.all(|result| Some(result) == first);
    match (said(Finding::Same), said(Finding::Differs), said(Finding::Withheld)) {
        (true, false, false) => Verdict::Passed,
        (false, true, false) if agreed => Verdict::Failed,
        (_, true, _) => Verdict::Disputed,
        (_, false, true) | (false, false, false) => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Finding::{Differs, Same, Silent, Withheld};

    #[test]
    fn one_that_differs_is_never_outvoted() {
        for (findings, expected) in [
            (vec![Same, Same, Same], Verdict::Passed),
            (vec![Same, Silent, Same], Verdict::Passed),
            (vec![Differs, Differs, Differs], Verdict::Failed),
            (vec![Differs, Silent], Verdict::Failed),
            (vec![Differs, Withheld], Verdict::Disputed),
            (vec![Same, Same, Differs], Verdict::Disputed),
            (vec![Same, Differs, Differs], Verdict::Disputed),
            (vec![Same, Withheld], Verdict::Unknown),
            (vec![Same, Differs, Withheld], Verdict::Disputed),
            (vec![Withheld, Withheld], Verdict::Unknown),
            (vec![Silent, Silent], Verdict::Unknown),
            (vec![], Verdict::Unknown),
        ] {
            let words: Vec<_> =
                findings.iter().map(|finding| Word { finding: *finding, result: [1; 32] }).collect();
            assert_eq!(verdict(&words), expected, "{findings:?}");
        }
    }

    #[test]
    fn committed_result_is_of_what_follows_the_drawn_segments() {
        let leaves: Vec<[u8; 32]> = (0..6).map(|n| [n; 32]).collect();
        // Four segments have five states; the sixth leaf binds outputs.
        assert_eq!(committed_result(&leaves, 4, &[0, 2]), Some(result(&[leaves[1], leaves[3]])));
        assert_eq!(committed_result(&leaves, 4, &[0, 3]), Some(result(&[leaves[1], leaves[4], leaves[5]])));
        assert_eq!(committed_result(&leaves[..5], 4, &[3]), Some(result(&[leaves[4]])));
        assert_eq!(committed_result(&leaves[..4], 4, &[3]), None);
    }

    #[test]
    fn validators_that_differ_from_one_another_prove_nothing() {
        let word = |n| Word { finding: Differs, result: [n; 32] };
        assert_eq!(verdict(&[word(1), word(1)]), Verdict::Failed);
        assert_eq!(verdict(&[word(1), word(2)]), Verdict::Disputed);
        assert_eq!(verdict(&[word(1), word(1), word(2)]), Verdict::Disputed);
    }
}
