// Command generate writes messages/dtc.pb.go from messages/dtc.proto. It runs
// from go generate and needs nothing but Go: the compiler is a library and the
// plugin a tool of this module.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const (
	input  = "dtc.proto"
	output = "dtc.pb.go"

	// registered is the input's name in the process-wide registry of protobuf
	// files, where two files of one name panic: hence not just dtc.proto.
	registered = "dtc/v1/dtc.proto"
	importPath = "github.com/seed-d36415c0/dtc/messages"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("generate: ")
	text, err := generate(".")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(output, text, 0o644); err != nil {
		log.Fatal(err)
	}
}

// generate returns what the output should be for the input in dir.
func generate(dir string) ([]byte, error) {
	file, err := compile(dir)
	if err != nil {
		return nil, err
	}
	answer, err := plugin(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{registered},
		Parameter:      proto.String("module=" + importPath),
		ProtoFile:      []*descriptorpb.FileDescriptorProto{file},
	})
	if err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, errors.New(answer.GetError())
	}
	if n := len(answer.File); n != 1 || answer.File[0].GetName() != output {
		return nil, fmt.Errorf("want the one file %s, the plugin made %d", output, n)
	}
	return []byte(answer.File[0].GetContent()), nil
}

// compile reads the input, with its comments.
func compile(dir string) (*descriptorpb.FileDescriptorProto, error) {
	text, err := os.ReadFile(filepath.Join(dir, input))
	if err != nil {
		return nil, err
	}
	compiler := protocompile.Compiler{
		Resolver: &protocompile.SourceResolver{
			Accessor: protocompile.SourceAccessorFromMap(map[string]string{registered: string(text)}),
		},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), registered)
	if err != nil {
		return nil, err
	}
	return protoutil.ProtoFromFileDescriptor(files[0]), nil
}

// plugin asks protoc-gen-go.
func plugin(request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	question, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	command := exec.Command("go", "tool", "protoc-gen-go")
	command.Stdin = bytes.NewReader(question)
	command.Stderr = os.Stderr
	reply, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("protoc-gen-go: %w", err)
	}
	answer := new(pluginpb.CodeGeneratorResponse)
	return answer, proto.Unmarshal(reply, answer)
}
