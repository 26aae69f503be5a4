package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The pages of --listen are for a collector and a health check: small, few at a time, and none may take long.
const (
	headerTime   = 5 * time.Second
	requestTime  = 10 * time.Second
	answerTime   = 30 * time.Second
	idleTime     = 2 * time.Minute
	maxHeader    = 16 << 10
	maxScrapes   = 4
	shutdownTime = 2 * time.Second
)

// pages are what --listen shows.
func pages(registry *prometheus.Registry, pulse *pulse, host string, status func() status) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.InstrumentMetricHandler(registry, promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes, Timeout: requestTime,
	})))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		age, began := pulse.age()
		switch {
		case !began:
			textPage(w, http.StatusServiceUnavailable, "not yet: the first step is not done\n")
		case age > stepLimit:
			textPage(w, http.StatusServiceUnavailable, fmt.Sprintf("stuck: the last step was %s ago, more than %s\n", age.Round(time.Millisecond), stepLimit))
		case status().distress != "": // to start it anew would help nothing
			textPage(w, http.StatusOK, fmt.Sprintf("in trouble: %s; it is tried again\n", oneLine(status().distress)))
		default:
			textPage(w, http.StatusOK, fmt.Sprintf("ok: the last step was %s ago\n", age.Round(time.Millisecond)))
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		s := status()
		textPage(w, http.StatusOK, fmt.Sprintf("gatepost %s on %s\n%s\n\n/metrics  for Prometheus\n/healthz  200 while it works, 503 when it is stuck\n",
			version(), oneLine(host), s.inWords()))
	})
	return mux
}

func textPage(w http.ResponseWriter, code int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprint(w, text)
}

// server serves pages until it is stopped.
type server struct {
	http  *http.Server
	ended chan struct{}
}

// serve begins to serve at an address. It is bound when serve returns.
func serve(addr string, h http.Handler, log *slog.Logger) (*server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		if oe, ok := errors.AsType[*net.OpError](err); ok {
			err = oe.Err // the message names the address already
		}
		return nil, err
	}
	s := &server{
		http: &http.Server{
			Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
			MaxHeaderBytes: maxHeader, ErrorLog: newStdLog(log),
		},
		ended: make(chan struct{}),
	}
	log.Info("listening", "address", l.Addr().String())
	go func() {
		defer close(s.ended)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("nobody listens any more", "error", err)
		}
	}()
	return s, nil
}

// stop lets answers that have begun end, for a moment.
func (s *server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	<-s.ended
}
