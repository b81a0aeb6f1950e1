//! What must hold of the audit log, whatever happened: it has every row of the outbox once, in order, and its tree and its
//! signature hold.

use custody::note_verify;
use evidence::log::{Key, Reader, Wrong, check, open_checkpoint};
use store::Store;
use waag_engine::Engine;
use wire::audit::{Event, read, record};

/// Publishes the rest, and checks the whole log. Returns how many records it has.
pub(crate) async fn whole(engine: &Engine, store: &Store) -> Result<u64, String> {
    let size =
        engine.audit_publish().await.map_err(|e| format!("the audit log cannot be published: {e:?}"))?;
    let rows = store.outbox_list(0, u32::MAX).await.unwrap();
    if rows.len() as u64 != size {
        return Err(format!("the audit log has {size} records of {} rows", rows.len()));
    }
    if let Some(alert) = store.alert_list(1_000).await.unwrap().iter().find(|one| one.code == "audit_behind")
    {
        return Err(format!("the audit log was taken for a wrong one: {}", alert.text));
    }
    let files = |path: &str| Ok::<_, Wrong>(store.audit().read(path).unwrap());
    let key = Key::parse(&engine.audit_key().unwrap()).unwrap();
    let head = open_checkpoint(files, &key, &note_verify).map_err(|wrong| wrong.to_string())?;
    if head.size != size {
        return Err(format!("the signed head has {} records, not {size}", head.size));
    }
    check(&mut Reader::new(size, files), &head, |index, bytes| {
        let row = &rows[usize::try_from(index).unwrap()];
        let (seq, at) = (row.seq.unsigned_abs(), row.at);
        let event = Event { seq, at, kind: &row.kind, subject: &row.subject, body: &row.body };
        assert_eq!(seq, index + 1);
        let is = read(key.name(), index, bytes).is_ok() && bytes == record(key.name(), &event);
        let wrong = || Wrong::Entry { index, path: String::from_utf8_lossy(bytes).into_owned() };
        if is { Ok(()) } else { Err(wrong()) }
    })
    .map_err(|wrong: Wrong| wrong.to_string())?;
    Ok(size)
}
