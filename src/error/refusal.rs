//! The error itself: how one is made, of what, and how it is handed to the edge.

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::{Fault, Kind, Problem};

/// A refusal, or a failure. A clone is for another request that the same thing befell.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    detail: String,
    faults: Vec<Fault>,
    members: BTreeMap<&'static str, Value>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a sentence for a person.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), faults: Vec::new(), members: BTreeMap::new(), cause: None }
    }

    /// The same with one more field at fault.
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The same with a member of its own in the problem, for programs that go on from it.
    pub fn with_member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.insert(name, value.into());
        self
    }

    /// 422 with one entry for each fault.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::new(Kind::Invalid, "Correct the fields that `errors` names and send it again.")
        }
    }

    /// 422 for one field.
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Fault::field(pointer, code, detail)])
    }

    /// 400 with one entry for each query parameter at fault; the detail names them too.
    pub fn parameters(faults: Vec<Fault>) -> Self {
        let detail = faults.iter().map(|fault| {
            format!("Query parameter `{}` {}.", fault.parameter.as_deref().unwrap_or_default(), fault.detail)
        });
        Self { detail: detail.collect::<Vec<_>>().join(" "), faults, ..Self::new(Kind::InvalidParameter, "") }
    }

    /// 400: a thing is named by the one or the other parameter.
    pub fn either(name: &str, other: &str) -> Self {
        Self::parameters(vec![Fault::parameter(
            name,
            "required",
            format!("or `{other}` is given: one of them"),
        )])
    }

    /// 409: the value of the field at `pointer` belongs to another row.
    pub fn taken(pointer: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let faults = vec![Fault::field(pointer, "taken", detail.clone())];
        Self { faults, ..Self::new(Kind::AlreadyTaken, detail) }
    }

    /// 409: other rows need this one.
    pub fn in_use(detail: impl Into<String>) -> Self {
        Self::new(Kind::InUse, detail)
    }

    /// 409: the product would be left without a variant.
    pub fn last_variant() -> Self {
        Self::new(Kind::LastVariant, "It is the product's last variant; delete the product instead.")
    }

    /// 404 for the named thing, whether it is not there or not the caller's.
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("There is no such {what}."))
    }

    /// 404 for the thing that the field at `pointer` names, whether it is not there or not the caller's.
    pub fn names_nothing(pointer: &'static str, what: &str) -> Self {
        let fault = Fault::field(pointer, "not-found", format!("no {what} of this id"));
        Self::not_found(what).with_fault(fault)
    }

    /// 400: what was sent cannot be read.
    pub fn malformed(why: impl fmt::Display) -> Self {
        Self::new(Kind::Malformed, why.to_string())
    }

    /// 503, to be tried again in a second.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, detail)
    }

    /// 500; the cause is logged and not sent.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "The error is logged under this request's id; trying again may help.";
        Self::new(Kind::Internal, detail).with_cause(cause)
    }

    /// What is wrong this time, for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What has led to it, if it was this.
    pub fn cause<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.cause.as_ref()?.downcast_ref()
    }

    /// Which row of the table it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a client is told, but for the request's id. The cause, if there is one, is logged: this is done once for
    /// each error that is answered.
    pub fn into_problem(self) -> Problem {
        match (&self.cause, self.kind) {
            (Some(cause), Kind::Internal) => tracing::error!(error = %cause, "request failed"),
            (Some(cause), _) => tracing::warn!(error = %cause, "request refused"),
            (None, _) => {}
        }
        let mut problem = Problem::new(self.kind, self.detail, self.faults);
        problem.members = self.members;
        problem
    }

    /// The same, led to by this.
    pub fn with_cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into().into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.slug(), self.detail)?;
        for fault in &self.faults {
            let name = fault.pointer.as_deref().or(fault.parameter.as_deref()).unwrap_or_default();
            write!(f, "\n  {name}: {}", fault.detail)?;
        }
        self.cause.iter().try_for_each(|cause| write!(f, "\n  caused by: {cause}"))
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as Db;
        // query_canceled, lock_not_available, a database that takes no connections or is being put in another's place, and
        // the classes "insufficient resources" and "operator intervention": the statement may be sent again as it is.
        let passing = |code: &str| {
            matches!(code, "57014" | "55P03" | "40001" | "40P01" | "55000" | "3D000")
                || code.starts_with("53")
                || code.starts_with("57P")
        };
        let away = match &error {
            Db::PoolTimedOut | Db::PoolClosed | Db::Io(_) | Db::Tls(_) | Db::WorkerCrashed => true,
            Db::Database(db) => db.code().is_some_and(|code| passing(&code)),
            _ => false,
        };
        if away {
            Self::unavailable("The database cannot answer right now.").with_cause(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<duka_index::Error> for Error {
    fn from(error: duka_index::Error) -> Self {
        Self::internal(error)
    }
}

impl IntoResponse for Error {
    /// An empty body; `error::finish` writes the problem once it knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        let problem = self.into_problem();
        response.extensions_mut().insert(problem);
        response
    }
}
