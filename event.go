package gatepost

import "time"

// Event is one notable record of a log: a row of the store. Which fields a kind fills is said in
// the table of kinds; the others are zero, durations [Unknown], times [NoTime].
//
// In an event that a format makes, Time is the raw stamp. In an event that the store hands out,
// Time is on the common clock.
type Event struct {
	Kind Kind
	Ref  Ref
	Time Time
	Hash uint64 // HashOf the record's first line: equal lines have equal hashes

	PID int // the process that the event is about
	By  int // the process that wrote it, when that is another one

	Status   int           // HTTP status, exit status, signal: see the kind
	Duration time.Duration // how long it took or has waited
	SQL      time.Duration // part of Duration spent in SQL
	Queries  int
	Number   int64 // a quantity: bytes, a port, a counter: see the kind

	Method   string
	Path     string // with query, as the log has it
	Client   string // address of the client
	Upstream string // address that a proxy talked to; several tries are joined with ", "
	DB       string
	Key      uint64 // KeyOf(Method, Path)

	Phase    Phase     // of an nginx error, or of a request whose line tells it
	Attempts []Attempt // tries of a gateway's request, in order; nil when not logged

	Name string // the thing by name: a job, a worker class, a unit, a relation, a module
	Text string // what the log says, without its head, one line, at most TextLimit bytes
	PIDs []int  // further processes: holders of a lock
}

// NewEvent returns an event with nothing known but what it is, where, and its raw stamp.
func NewEvent(k Kind, r Ref, raw Time) Event {
	return Event{Kind: k, Ref: r, Time: raw, Duration: Unknown, SQL: Unknown}
}

// TextLimit bounds the text that an event keeps of a line.
const TextLimit = 1000

// Attempt is one try of a gateway to have a request answered by an upstream server.
type Attempt struct {
	Addr     string
	Status   int           // 0 when the try brought none
	Connect  time.Duration // Unknown when no connection was made
	Header   time.Duration // Unknown when no header came
	Response time.Duration
}

// Phase names what the gateway was doing for a request when it failed.
type Phase string

const (
	PhaseRefused        Phase = "refused"         // nobody listens, or no route to the host
	PhasePremature      Phase = "premature_close" // closed after the request was read, before an answer
	PhaseReset          Phase = "reset"           // closed before the request was read
	PhaseConnectTimeout Phase = "connect_timeout"
	PhaseHeaderTimeout  Phase = "header_timeout"
	PhaseSendTimeout    Phase = "send_timeout"
	PhaseBodyTimeout    Phase = "body_timeout"
	PhaseNoLive         Phase = "no_live_upstreams" // every server of the group is set aside after earlier failures
	PhaseBacklog        Phase = "backlog_full"      // unix socket: the listen queue is full
	PhaseQueueTimeout   Phase = "queue_timeout"     // HAProxy: no server had room for one more connection
	PhaseProtocol       Phase = "protocol"          // the answer is no valid HTTP, its header is too big, TLS failed
	PhaseConfig         Phase = "config"            // no such socket, no permission, name not resolved
	PhaseUpstreamAnswer Phase = "upstream_answer"   // the 502 or 504 is itself the upstream's answer
	PhaseUnknown        Phase = "unknown"
)

// Kind says what an Event is.
type Kind string

// The kinds of events. KindDocs says what each means and which fields it fills.
const (
	NginxRequest Kind = "nginx_request"
	NginxError   Kind = "nginx_error"
	NginxTrouble Kind = "nginx_trouble"
	NginxNotice  Kind = "nginx_notice"

	HAProxyServer Kind = "haproxy_server"

	OdooRequest       Kind = "odoo_request"
	OdooStart         Kind = "odoo_start"
	OdooListening     Kind = "odoo_listening"
	OdooGeventReady   Kind = "odoo_gevent_listening"
	OdooLoaded        Kind = "odoo_loaded"
	OdooStop          Kind = "odoo_stop"
	OdooWorkerAlive   Kind = "odoo_worker_alive"
	OdooWorkerExit    Kind = "odoo_worker_exit"
	OdooWorkerTimeout Kind = "odoo_worker_timeout"
	OdooWorkerCPU     Kind = "odoo_worker_cpu_limit"
	OdooWorkerMemory  Kind = "odoo_worker_memory_limit"
	OdooWorkerRecycle Kind = "odoo_worker_recycle"
	OdooWorkerError   Kind = "odoo_worker_exception"
	OdooParentChanged Kind = "odoo_parent_changed"
	OdooThreadLimit   Kind = "odoo_thread_limit"
	OdooCronStart     Kind = "odoo_cron_start"
	OdooCronEnd       Kind = "odoo_cron_end"
	OdooCronError     Kind = "odoo_cron_error"
	OdooDBFailed      Kind = "odoo_db_failed"
	OdooPoolFull      Kind = "odoo_pool_full"
	OdooRetry         Kind = "odoo_retry"
	OdooBadQuery      Kind = "odoo_bad_query"
	OdooLoadError     Kind = "odoo_load_error"
	OdooMemoryError   Kind = "odoo_memory_error"
	OdooDiskFull      Kind = "odoo_disk_full"
	OdooError         Kind = "odoo_error"
	OdooUpgrade       Kind = "odoo_upgrade"
	OdooTraceback     Kind = "odoo_traceback"

	KernelOOM      Kind = "kernel_oom"
	KernelOOMScope Kind = "kernel_oom_scope"
	KernelSegfault Kind = "kernel_segfault"
	KernelOverflow Kind = "kernel_listen_overflow"
	KernelStall    Kind = "kernel_stall"
	KernelDisk     Kind = "kernel_disk_error"
	KernelNetwork  Kind = "kernel_network"
	KernelBoot     Kind = "kernel_boot"

	UnitStart   Kind = "unit_start"
	UnitStarted Kind = "unit_started"
	UnitStop    Kind = "unit_stop"
	UnitStopped Kind = "unit_stopped"
	UnitExit    Kind = "unit_exit"
	UnitFailed  Kind = "unit_failed"
	UnitRestart Kind = "unit_restart"
	UnitGaveUp  Kind = "unit_gave_up"
	UnitOOM     Kind = "unit_oom"

	PgStart         Kind = "pg_start"
	PgReady         Kind = "pg_ready"
	PgStop          Kind = "pg_stop"
	PgDown          Kind = "pg_down"
	PgCrash         Kind = "pg_crash"
	PgRefused       Kind = "pg_refused"
	PgTooMany       Kind = "pg_too_many_connections"
	PgStatement     Kind = "pg_statement"
	PgLockWait      Kind = "pg_lock_wait"
	PgLockAcquired  Kind = "pg_lock_acquired"
	PgDeadlock      Kind = "pg_deadlock"
	PgClientLost    Kind = "pg_client_lost"
	PgDiskFull      Kind = "pg_disk_full"
	PgMemory        Kind = "pg_out_of_memory"
	PgCanceled      Kind = "pg_canceled"
	PgSerialization Kind = "pg_serialization"
	PgError         Kind = "pg_error"
)

// KindDoc documents one kind of event.
type KindDoc struct {
	Kind Kind
	Doc  string // what it says, and the fields it fills beside Kind, Ref, Time, Hash, Text
}

// KindDocs lists every kind. PID is the process spoken of; Name, Number and Status as said.
var KindDocs = []KindDoc{
	{NginxRequest, "access line of a gateway (nginx, HAProxy, Traefik) that is no ordinary success: status 499 or 5xx, or slow. Status, Duration, Number bytes, Method, Path, Client, Upstream, Attempts, Key; of HAProxy Phase, and Name the termination state"},
	{NginxError, "error-log line about one request. PID nginx worker, Phase, Status errno, Number connection, Method, Path, Client, Upstream, Key, Name the virtual server"},
	{NginxTrouble, "nginx itself lacks something: connections, files, ports, disk, a name server. Name what, Status errno"},
	{NginxNotice, "life of nginx: start, reload, exit. Name what, PID and Status where a worker exited on a signal"},

	{HAProxyServer, "HAProxy's checks found a server down or up, or no server is left. Name down, up or none, Upstream backend/server. Time is the end of the request in the line before"},

	{OdooRequest, "Odoo request line that is slow or has a status of 500 or more. PID, Status, Duration, SQL, Queries, Method, Path, Client, DB, Key; Name gevent for the event process"},
	{OdooStart, "a process of Odoo starts ('Odoo version'); the gevent child says it too. PID, Name version"},
	{OdooListening, "the HTTP socket is open. PID master, Name address:port"},
	{OdooGeventReady, "the event process listens. PID, Name address:port"},
	{OdooLoaded, "a registry is loaded. PID, DB, Duration where told"},
	{OdooStop, "an order to stop or reload. PID master, Name stop, reload or force"},
	{OdooWorkerAlive, "a worker began its life. PID, Name WorkerHTTP or WorkerCron"},
	{OdooWorkerExit, "a worker ended in good order. PID, Number requests it served"},
	{OdooWorkerTimeout, "the master kills a worker for its time. PID victim, By master, Name class ('' in old versions), Duration the limit"},
	{OdooWorkerCPU, "limit_time_cpu reached. PID, Duration the limit"},
	{OdooWorkerMemory, "soft memory limit reached. PID, Number bytes of address space, Name gevent or server where it is not an HTTP worker"},
	{OdooWorkerRecycle, "a worker leaves after its allotted requests or age. PID, Number requests"},
	{OdooWorkerError, "a worker ends by an exception. PID, Name last line of the traceback"},
	{OdooParentChanged, "a child notices that its master is gone. PID, Name gevent or worker"},
	{OdooThreadLimit, "threaded server: a thread is over its time. PID, Name thread, Duration age; the dump of its stack tells Path instead"},
	{OdooCronStart, "a scheduled action begins. PID, Name job, DB"},
	{OdooCronEnd, "a scheduled action ended. PID, Name job, Duration where told, DB"},
	{OdooCronError, "a scheduled action failed. PID, Name job or last line of the traceback"},
	{OdooDBFailed, "no connection to PostgreSQL. PID, Name the reason as a word: refused, starting, too_many, lost, auth, dns, unknown"},
	{OdooPoolFull, "a process used up its db_maxconn. PID"},
	{OdooRetry, "a request is tried again after a database conflict. PID, Name SERIALIZATION_FAILURE, DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, Number tries left (-1 not told), Duration the pause"},
	{OdooBadQuery, "a statement failed. PID, Name PostgreSQL's message"},
	{OdooLoadError, "a module, registry or server did not load. PID, Name missing Python module or Odoo module"},
	{OdooMemoryError, "an allocation failed under limit_memory_hard. PID"},
	{OdooDiskFull, "no space left. PID, Name the file where told"},
	{OdooError, "any other line of WARNING or above. PID, Name logger, DB"},
	{OdooUpgrade, "a module is installed or upgraded. PID, Name module"},
	{OdooTraceback, "a traceback outside the log's own format: start-up errors on standard error. Name last line, Number how often it stands in a row"},

	{KernelOOM, "the kernel killed a process for memory. PID, Name command, Number resident bytes (anonymous, file and shared), Path memory cgroup where the same line tells"},
	{KernelOOMScope, "what the kill was limited to. PID victim, Name constraint, Path cgroup of the victim"},
	{KernelSegfault, "a process broke memory protection. PID a thread id, Name command, Path library"},
	{KernelOverflow, "a listen queue overflowed. Number port"},
	{KernelStall, "a task, a CPU or an allocation hangs. PID, Name command or device"},
	{KernelDisk, "a disk or file system error. Name device"},
	{KernelNetwork, "packets dropped: conntrack or neighbour table full. Name what"},
	{KernelBoot, "the machine booted. Name kernel version"},

	{UnitStart, "systemd begins to start a unit. Name unit"},
	{UnitStarted, "systemd calls a unit started. Name unit"},
	{UnitStop, "systemd begins to stop a unit. Name unit"},
	{UnitStopped, "a unit is stopped. Name unit"},
	{UnitExit, "a unit's main process ended. Name unit, Status exit status or signal, Path exited, killed or dumped"},
	{UnitFailed, "a unit failed. Name unit, Path the result"},
	{UnitRestart, "systemd will start a unit again. Name unit, Number counter"},
	{UnitGaveUp, "systemd starts a unit no more. Name unit"},
	{UnitOOM, "a process of a unit was killed for memory (kernel or systemd-oomd). Name unit"},

	{PgStart, "PostgreSQL starts, or recovers. Name start or recovery"},
	{PgReady, "PostgreSQL accepts connections"},
	{PgStop, "PostgreSQL was told to stop. Name fast, smart, immediate"},
	{PgDown, "PostgreSQL is shut down"},
	{PgCrash, "a server process died. PID backend, Status signal or exit code, Name statement it ran"},
	{PgRefused, "a connection refused for PostgreSQL's state or for authentication, or not to be had at all. Name starting, stopping, recovery, auth, no_database, unreachable (PgBouncer), PID, DB"},
	{PgTooMany, "a connection refused for want of slots. PID, DB, Name role or database where the limit is theirs; of PgBouncer PID the client where it is local, Name the limit"},
	{PgStatement, "a statement that took long. PID backend, Duration, Name the statement normalised, DB"},
	{PgLockWait, "a backend waits for a lock. PID, PIDs holders, Duration so far, Name what it waits for (relation where told), DB"},
	{PgLockAcquired, "the wait ended. PID, Duration, Name as before, DB"},
	{PgDeadlock, "a deadlock was broken. PID, DB"},
	{PgClientLost, "a client vanished. PID backend, DB, Name 'transaction' when one was open"},
	{PgDiskFull, "no space left. PID, Name file, Status 1 for a PANIC"},
	{PgMemory, "an allocation failed, or no process could be forked. PID"},
	{PgCanceled, "a statement or session was ended by a timeout or an administrator. PID, Name which, DB"},
	{PgSerialization, "could not serialize access: Odoo tries again. PID, DB"},
	{PgError, "any other ERROR, FATAL or PANIC. PID, DB, Name severity"},
}
