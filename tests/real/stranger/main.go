// Auditcheck verifies a trail from otel_tool_audit/trail/FORMAT.md alone: its first version came from somebody who had read nothing else,
// and what that one had to guess stands in FORMAT.md since.
//
//	auditcheck [--boot-id HEX] TRAIL STATE     STATE is - where there is none
//	auditcheck [--boot-id HEX] --batch         pairs "TRAIL<TAB>STATE" on stdin, one verdict a line
//
// It is a shallow verifier (FORMAT.md section 8) and takes no locks, so it is for trails at rest.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Exit codes: section 8; 2 is what programs say of a wrong call.
var exitCodes = map[string]int{"intact": 0, "broken": 1, "cannot tell": 3}

func main() {
	bootID, batch := thisBoot(), false
	arguments := []string{}
	for rest := os.Args[1:]; len(rest) > 0; rest = rest[1:] {
		switch {
		case rest[0] == "--batch":
			batch = true
		case rest[0] == "--boot-id" && len(rest) > 1:
			bootID, rest = rest[1], rest[1:]
		default:
			arguments = append(arguments, rest[0])
		}
	}
	if batch && len(arguments) == 0 {
		answerAll(bootID)
		return
	}
	if len(arguments) != 2 {
		fmt.Fprintln(os.Stderr, "usage: auditcheck [--boot-id HEX] TRAIL STATE | auditcheck [--boot-id HEX] --batch")
		os.Exit(2)
	}
	verdict := judge(arguments[0], arguments[1], bootID)
	print1(verdict)
	os.Exit(exitCodes[verdict.Integrity])
}

// answerAll is for tests: starting a process for each of thousands of trails would take most of the time.
func answerAll(bootID string) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		trail, state, _ := strings.Cut(lines.Text(), "\t")
		print1(judge(trail, state, bootID))
	}
}

func print1(verdict *Verdict) {
	text, err := json.Marshal(verdict)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func thisBoot() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "-", "")
}
