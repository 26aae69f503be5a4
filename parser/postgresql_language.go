package parser

// What PostgreSQL says in the languages that it is translated into. Here stand the words without which a
// log is not read at all; what else a message means, its SQLSTATE tells (pgTold). From the message
// catalogs of version 15.

// pgWord is a severity, or the name of a line that adds to a message.
type pgWord uint8

const (
	pgQuiet   pgWord = iota + 1 // NOTICE and below
	pgNote                      // LOG
	pgWarning                   // WARNING
	pgError
	pgFatal
	pgPanic
	pgDetail
	pgContext
	pgOther // HINT, STATEMENT and the like: read over
)

// extra reports whether a word names a line that adds to a message.
func (w pgWord) extra() bool { return w >= pgDetail }

// String returns the English word of a severity from ERROR on.
func (w pgWord) String() string {
	switch w {
	case pgError:
		return "ERROR"
	case pgFatal:
		return "FATAL"
	case pgPanic:
		return "PANIC"
	}
	return ""
}

// pgWordOf reads the word before ":  ".
func pgWordOf(word []byte) (pgWord, bool) {
	switch string(word) {
	case "LOG", "LOGG", "СООБЩЕНИЕ", "ЗАПИСУВАННЯ":
		return pgNote, true
	case "ERROR", "FEHLER", "ERREUR", "ERRORE", "ОШИБКА", "FEL", "ПОМИЛКА":
		return pgError, true
	case "FATAL", "FATALE", "ВАЖНО", "FATALT", "ФАТАЛЬНО":
		return pgFatal, true
	case "PANIC", "PANIK", "PANICO", "ПАНИКА", "ПАНІКА":
		return pgPanic, true
	case "WARNING", "WARNUNG", "ATTENTION", "ATTENZIONE", "ПРЕДУПРЕЖДЕНИЕ", "VARNING", "ПОПЕРЕДЖЕННЯ":
		return pgWarning, true
	case "NOTICE", "HINWEIS", "NOTIFICA", "ЗАМЕЧАНИЕ", "NOTIS", "ПОВІДОМЛЕННЯ", "INFO", "ИНФОРМАЦИЯ", "ІНФОРМАЦІЯ",
		"DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5", "ОТЛАДКА", "НАЛАГОДЖЕННЯ":
		return pgQuiet, true
	case "DETAIL", "DETALLE", "DÉTAIL", "DETTAGLI", "ПОДРОБНОСТИ", "DETALJ", "ВІДОМОСТІ":
		return pgDetail, true
	case "CONTEXT", "ZUSAMMENHANG", "CONTEXTO", "CONTEXTE", "CONTESTO", "КОНТЕКСТ", "KONTEXT":
		return pgContext, true
	case "HINT", "TIPP", "ASTUCE", "SUGGERIMENTO", "ПОДСКАЗКА", "TIPS", "УКАЗІВКА",
		"STATEMENT", "ANWEISUNG", "SENTENCIA", "INSTRUCTION", "ISTRUZIONE", "ОПЕРАТОР", "SATS", "ІНСТРУКЦІЯ",
		"QUERY", "ANFRAGE", "CONSULTA", "REQUÊTE", "ЗАПРОС", "FRÅGA", "ЗАПИТ",
		"LOCATION", "BACKTRACE", "СТЕК", "ВІДСТЕЖУВАТИ":
		return pgOther, true
	}
	return 0, false
}

// pgWordBy reads the severity of a record that tells it in a field of its own; where it is in a language
// that is not known here, the SQLSTATE gives its class.
func pgWordBy(severity, code []byte) pgWord {
	word, ok := pgWordOf(severity)
	switch {
	case ok && !word.extra():
		return word
	case hasPrefix(code, "00"):
		return pgNote
	case hasPrefix(code, "01"), hasPrefix(code, "02"):
		return pgQuiet
	}
	return pgError
}

// pgDurations are the words before the time that a statement took.
var pgDurations = []string{"duration: ", "Dauer: ", "duración: ", "durée : ", "durata: ", "продолжительность: ", "varaktighet: ", "тривалість: "}

// pgDuration returns where the time begins in "duration: 8126.786 ms  statement: …", 0 when msg is none.
func pgDuration(msg []byte) int {
	for _, word := range pgDurations {
		if hasPrefix(msg, word) {
			return len(word)
		}
	}
	return 0
}

// pgReadyWords begin the message that connections, or read-only connections, are accepted.
var pgReadyWords = []string{
	"database system is ready to accept ",
	"Datenbanksystem ist bereit, um ",
	"el sistema de bases de datos está listo para aceptar conexiones",
	"le système de bases de données est prêt pour accepter les connexions",
	"il database è pronto ad accettare connessioni",
	"il sistema di database è pronto per accettare connessioni",
	"система БД готова принимать подключения",
	"databassystemet är redo att ta emot ",
	"система бази даних готова до отримання підключення",
}

// pgDownWords are the message that the server is shut down. In Italian the same words with a time behind
// them tell at the next start when that was, so only the whole message counts.
var pgDownWords = []string{
	"database system is shut down",
	"abnormal database system shutdown",
	"Datenbanksystem ist heruntergefahren",
	"el sistema de bases de datos está apagado",
	"le système de base de données est arrêté",
	"il database è stato arrestato",
	"система БД выключена",
	"databassystemet är nedstängt",
	"система бази даних вимкнена",
}

// isOne reports whether msg is one of the words.
func isOne(msg []byte, words []string) bool {
	for _, w := range words {
		if string(msg) == w {
			return true
		}
	}
	return false
}

// begins reports whether msg begins with one of the words.
func begins(msg []byte, words []string) bool {
	for _, w := range words {
		if hasPrefix(msg, w) {
			return true
		}
	}
	return false
}
