//! Named points at which a test kills this process. A release build has none.
//!
//! A debug build reads the file `crash-at` once, at its start: a point's name and, after a space, the how-manieth time
//! it is reached. Whoever gets there removes the file, so that one process dies, once, and kills itself with SIGKILL.

use std::path::Path;
use std::sync::Arc;

use domain::{NoProbe, Probe};

#[cfg(debug_assertions)]
mod armed {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    use domain::{Interrupted, Probe};
    use rustix::process::{Signal, getpid, kill_process};

    pub(super) struct CrashAt {
        point: String,
        left: AtomicU32,
        file: PathBuf,
    }

    impl CrashAt {
        pub(super) fn read(folder: &Path) -> Option<Self> {
            let file = folder.join("crash-at");
            let text = std::fs::read_to_string(&file).ok()?;
            let (point, times) = text.trim().split_once(' ').unwrap_or((text.trim(), "1"));
            Some(Self { point: point.to_owned(), left: AtomicU32::new(times.parse().ok()?), file })
        }
    }

    impl Probe for CrashAt {
        fn reached(&self, point: &'static str) -> Result<(), Interrupted> {
            if point == self.point
                && self.left.fetch_sub(1, Ordering::SeqCst) == 1
                && std::fs::remove_file(&self.file).is_ok()
            {
                let _ = kill_process(getpid(), Signal::KILL);
            }
            Ok(())
        }
    }
}

/// What the process that works in `folder` tells its named points to.
pub(crate) fn probe(folder: &Path) -> Arc<dyn Probe> {
    #[cfg(debug_assertions)]
    if let Some(armed) = armed::CrashAt::read(folder) {
        return Arc::new(armed);
    }
    let _ = folder;
    Arc::new(NoProbe)
}
