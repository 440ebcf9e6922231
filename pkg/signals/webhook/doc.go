// Package webhook is the signal by HTTP: at each transition it sends the leadership document to a URL, by POST.
//
// It promises that renewals send nothing, that the newest document wins over whatever has not got through, that a
// request ends after the timeout, and that it goes where the URL says: no redirect is followed, no proxy of the
// environment is used, and no address that is link-local is dialled, by whatever name it was reached (a cloud's
// metadata service hands out credentials there).
//
// It does not promise that every transition is sent, nor that requests arrive in order: one that was given up may be
// read after the next. A receiver goes by the document's transitions and validUntil, never by the order of arrival.
//
//	level ── a new term, or none ──▶ POST document ──▶ a success status: told
//	     └── a renewal ──▶ nothing             └──────▶ anything else: again, with the newest
package webhook
