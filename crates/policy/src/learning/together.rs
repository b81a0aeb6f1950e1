//! Which groups fail together.

use domain::{Millis, Timestamp};

/// The earliest and the latest moment at which something failed.
pub(super) type Span = (Timestamp, Timestamp);

/// The cluster of each group of failures: groups of which at least `least` failures can be paired, each with one of the
/// other that is `near`, also by way of others. More failures only join more.
pub(super) fn clusters(failures: &[Vec<Span>], near: Millis, least: usize) -> Vec<usize> {
    let mut of: Vec<usize> = (0..failures.len()).collect();
    for a in 0..failures.len() {
        for b in 0..a {
            if of[a] != of[b] && together(&failures[a], &failures[b], near, least) {
                let (keep, drop) = (of[b], of[a]);
                of.iter_mut().filter(|one| **one == drop).for_each(|one| *one = keep);
            }
        }
    }
    of
}

/// Whether the greatest matching reaches `least`, by augmenting paths (Kuhn, "The Hungarian method", 1955).
fn together(a: &[Span], b: &[Span], near: Millis, least: usize) -> bool {
    let meet = |x: &Span, y: &Span| x.0 <= y.1 + near && y.0 <= x.1 + near;
    let close: Vec<Vec<usize>> =
        a.iter().map(|x| (0..b.len()).filter(|y| meet(x, &b[*y])).collect()).collect();
    let mut partner = vec![None; b.len()];
    let mut pairs = 0;
    for from in 0..a.len() {
        if pairs >= least {
            break;
        }
        if pair(from, &close, &mut partner, &mut vec![false; b.len()]) {
            pairs += 1;
        }
    }
    pairs >= least
}

/// Finds a partner for `from`, moving another to one of its others where that frees one.
fn pair(from: usize, close: &[Vec<usize>], partner: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    close[from].iter().any(|to| {
        if std::mem::replace(&mut tried[*to], true) {
            return false;
        }
        let free = partner[*to].is_none_or(|other| pair(other, close, partner, tried));
        if free {
            partner[*to] = Some(from);
        }
        free
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Millis = Millis(120_000);

    fn at(seconds: &[i64]) -> Vec<Span> {
        seconds.iter().map(|s| (Timestamp(s * 1000), Timestamp(s * 1000))).collect()
    }

    #[test]
    fn each_failure_is_paired_once() {
        assert!(!together(&at(&[100]), &at(&[40, 90, 150]), NEAR, 2));
        assert!(together(&at(&[0, 1000, 5000]), &at(&[120, 1121, 5001]), NEAR, 2));
        assert!(!together(&at(&[0, 1000, 5000]), &at(&[120, 1121, 5001]), NEAR, 3));
        assert!(!together(&at(&[1000]), &at(&[0]), NEAR, 1) && !together(&at(&[0]), &at(&[1000]), NEAR, 1));
        // The first takes the one that only the second can have, and must give way.
        assert!(together(&at(&[100, 0]), &at(&[50, 200]), NEAR, 2));
    }

    #[test]
    fn silence_may_have_begun_at_any_of_its_moments() {
        let silent = [(Timestamp(0), Timestamp(1_000_000))];
        assert!(together(&silent, &at(&[500]), NEAR, 1) && together(&at(&[1119]), &silent, NEAR, 1));
        assert!(!together(&silent, &at(&[1121]), NEAR, 1));
    }

    #[test]
    fn who_fails_with_one_of_two_joins_both() {
        let groups = [at(&[0, 1000]), at(&[5000, 6000]), at(&[0, 1000, 5000, 6000]), at(&[20_000])];
        let of = clusters(&groups, NEAR, 2);
        assert!(of[0] == of[1] && of[1] == of[2] && of[3] != of[0], "{of:?}");
        let of = clusters(&groups, NEAR, 3);
        assert!(of[0] != of[1] && of[1] != of[2]);
    }
}
