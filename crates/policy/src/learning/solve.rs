//! Small systems of linear equations.

/// The `x` with `a x = b`, for a symmetric positive definite `a`, by Cholesky's factors (Golub and Van Loan, Matrix
/// Computations, 4.2).
pub(super) fn solve<const N: usize>(a: [[f64; N]; N], b: [f64; N]) -> [f64; N] {
    let mut lower = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            lower[i][j] =
                if i == j { (a[i][i] - known).max(0.0).sqrt() } else { (a[i][j] - known) / lower[j][j] };
        }
    }
    let mut x = b;
    for i in 0..N {
        let known: f64 = (0..i).map(|k| lower[i][k] * x[k]).sum();
        x[i] = (x[i] - known) / lower[i][i];
    }
    for i in (0..N).rev() {
        let known: f64 = (i + 1..N).map(|k| lower[k][i] * x[k]).sum();
        x[i] = (x[i] - known) / lower[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_solution_solves(root in prop::array::uniform3(prop::array::uniform3(-2.0..2.0f64)), b in prop::array::uniform3(-5.0..5.0f64)) {
            let mut a = [[0.0; 3]; 3];
            for i in 0..3 {
                for j in 0..3 {
                    a[i][j] = (0..3).map(|k| root[i][k] * root[j][k]).sum::<f64>() + if i == j { 0.5 } else { 0.0 };
                }
            }
            let x = solve(a, b);
            for i in 0..3 {
                let left: f64 = (0..3).map(|j| a[i][j] * x[j]).sum();
                prop_assert!((left - b[i]).abs() < 1e-8, "{left} {}", b[i]);
            }
        }
    }
}
