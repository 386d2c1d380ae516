// Renders a chart as Helm does, as far as this chart goes: Go's templates with sprig's functions, and include, required, fail, toYaml and .Files.Get.
// Used by chart.long.test.ts, with Debian's golang-go, golang-github-masterminds-sprig-dev and golang-k8s-sigs-yaml-dev, where there is no Helm.
//
//	render CHART RELEASE NAMESPACE < values in YAML > manifests
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type files struct{ folder string }

func (f files) Get(name string) string {
	text, err := os.ReadFile(filepath.Join(f.folder, name))
	check(err)
	return string(text)
}

func main() {
	folder, release, namespace := os.Args[1], os.Args[2], os.Args[3]
	given, err := io.ReadAll(os.Stdin)
	check(err)
	defaults, err := os.ReadFile(filepath.Join(folder, "values.yaml"))
	check(err)
	chart, err := os.ReadFile(filepath.Join(folder, "Chart.yaml"))
	check(err)
	about := map[string]interface{}{}
	for key, value := range read(chart) {
		about[strings.ToUpper(key[:1])+key[1:]] = value
	}
	data := map[string]interface{}{
		"Values": merge(read(defaults), read(given)), "Chart": about, "Files": files{folder},
		"Release": map[string]interface{}{"Name": release, "Namespace": namespace, "Service": "Helm"},
	}
	all := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	functions["include"] = func(name string, in interface{}) (string, error) {
		out := &strings.Builder{}
		err := all.ExecuteTemplate(out, name, in)
		return out.String(), err
	}
	functions["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	all.Funcs(functions)
	paths, err := filepath.Glob(filepath.Join(folder, "templates", "*"))
	check(err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		check(err)
		template.Must(all.New(filepath.Base(path)).Parse(string(text)))
	}
	for _, path := range paths {
		if name := filepath.Base(path); !strings.HasPrefix(name, "_") {
			out := &strings.Builder{}
			check(all.ExecuteTemplate(out, name, data))
			// What Helm tells people is no manifest.
			if text := strings.TrimSpace(out.String()); text != "" && strings.HasSuffix(name, ".yaml") {
				fmt.Printf("---\n# Source: %s\n%s\n", name, text)
			}
		}
	}
}

func read(text []byte) map[string]interface{} {
	value := map[string]interface{}{}
	check(yaml.Unmarshal(text, &value))
	return value
}

// As Helm: maps are merged, all else is replaced.
func merge(into, from map[string]interface{}) map[string]interface{} {
	for key, value := range from {
		below, isMap := value.(map[string]interface{})
		if known, wasMap := into[key].(map[string]interface{}); isMap && wasMap {
			into[key] = merge(known, below)
		} else {
			into[key] = value
		}
	}
	return into
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
