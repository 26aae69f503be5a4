package discovery

// Facts: Docker's json-file driver ("Configure logging drivers"), "Logging Architecture" of Kubernetes, Podman's k8s-file.
var containers = &program{
	name: "containers",
	logs: []string{
		"/var/lib/docker/containers/*/*-json.log*", "/var/log/pods/*/*/*.log*",
		"/var/lib/containers/storage/overlay-containers/*/userdata/ctr.log",
	},
}
