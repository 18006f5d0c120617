package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// messages is the folder of the input and the output.
var messages = filepath.Join("..", "..")

func TestGeneratedCodeIsCurrent(t *testing.T) {
	want, err := generate(messages)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(messages, output))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what %s says; run: go generate ./messages", output, input)
	}
}

func TestGenerate_ChangedInput(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(messages, input))
	if err != nil {
		t.Fatal(err)
	}
	got, err := generate(write(t, string(text)+"\nmessage Forgotten {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(got, []byte("type Forgotten struct")) {
		t.Error("a message that was added to the input is not in the output")
	}
}

func TestGenerate_BrokenInput(t *testing.T) {
	_, err := generate(write(t, `syntax = "proto3"; message Broken {`))
	if err == nil || !strings.Contains(err.Error(), input) {
		t.Errorf("got %v, want an error that names %s", err, input)
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
