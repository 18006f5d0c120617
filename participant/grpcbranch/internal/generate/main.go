// Command generate writes the Go code of package participantpb from service.proto.
// It runs from go generate and needs nothing but Go: the compiler is a library, and
// the plugins are tools of this module.
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
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/seed-d36415c0/dtc/messages"
)

const (
	input = "service.proto"

	// registered is the input's name in the process-wide registry of protobuf files.
	registered = "dtc/v1/service.proto"
	importPath = "github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
)

// plugins are what makes code of the input.
var plugins = []string{"protoc-gen-go", "protoc-gen-go-grpc"}

func main() {
	log.SetFlags(0)
	log.SetPrefix("generate: ")
	files, err := generate(".")
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// generate returns what the outputs should be, by name, for the input in dir.
func generate(dir string) (map[string][]byte, error) {
	compiled, err := compile(dir)
	if err != nil {
		return nil, err
	}
	request := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{registered},
		Parameter:      proto.String("module=" + importPath),
		ProtoFile:      []*descriptorpb.FileDescriptorProto{protoutil.ProtoFromFileDescriptor(imported()), compiled},
	}
	files := make(map[string][]byte)
	for _, plugin := range plugins {
		answer, err := run(plugin, request)
		if err != nil {
			return nil, err
		}
		if answer.Error != nil {
			return nil, errors.New(answer.GetError())
		}
		for _, f := range answer.File {
			files[f.GetName()] = []byte(f.GetContent())
		}
	}
	return files, nil
}

// imported is dtc.proto, as package messages has it.
func imported() protoreflect.FileDescriptor {
	return new(messages.Branch).ProtoReflect().Descriptor().ParentFile()
}

// compile reads the input, with its comments.
func compile(dir string) (*descriptorpb.FileDescriptorProto, error) {
	text, err := os.ReadFile(filepath.Join(dir, input))
	if err != nil {
		return nil, err
	}
	source := protocompile.SourceAccessorFromMap(map[string]string{registered: string(text)})
	compiler := protocompile.Compiler{
		Resolver: protocompile.CompositeResolver{
			&protocompile.SourceResolver{Accessor: source},
			protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
				if path != imported().Path() {
					return protocompile.SearchResult{}, os.ErrNotExist
				}
				return protocompile.SearchResult{Desc: imported()}, nil
			}),
		},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), registered)
	if err != nil {
		return nil, err
	}
	return protoutil.ProtoFromFileDescriptor(files[0]), nil
}

// run asks a plugin.
func run(plugin string, request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	question, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	command := exec.Command("go", "tool", plugin)
	command.Stdin = bytes.NewReader(question)
	command.Stderr = os.Stderr
	reply, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", plugin, err)
	}
	answer := new(pluginpb.CodeGeneratorResponse)
	return answer, proto.Unmarshal(reply, answer)
}
