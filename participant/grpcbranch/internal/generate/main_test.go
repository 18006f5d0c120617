package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder is that of the input and the outputs.
var folder = filepath.Join("..", "..", "participantpb")

func TestGeneratedCodeIsCurrent(t *testing.T) {
	files, err := generate(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(plugins) {
		t.Errorf("%d files of %d plugins", len(files), len(plugins))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what %s says; run: go generate ./participant/grpcbranch/...", name, input)
		}
	}
}

func TestGenerate_ChangedInput(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder, input))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "rpc InDoubt(", "rpc Added(dtc.v1.Commit) returns (dtc.v1.Acked);\n  rpc InDoubt(", 1)
	files, err := generate(write(t, changed))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(files["service_grpc.pb.go"], []byte("Added(context.Context, *messages.Commit) (*messages.Acked, error)")) {
		t.Error("a method that was added to the input is not in the output")
	}
}

func TestGenerate_BrokenInput(t *testing.T) {
	_, err := generate(write(t, `syntax = "proto3"; service Broken {`))
	if err == nil || !strings.Contains(err.Error(), input) {
		t.Errorf("got %v, want an error that names %s", err, input)
	}
	if _, err := generate(write(t, `syntax = "proto3"; import "nowhere.proto";`)); err == nil {
		t.Error("no error where an import is not there")
	}
	if _, err := generate(t.TempDir()); err == nil {
		t.Error("no error where there is no input")
	}
}

// write makes a folder with the text as its input.
func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, input), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
