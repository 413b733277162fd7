package main

import (
	"os"
	"path/filepath"
	"strings"
)

// A Claim is one {count, hash} that somebody holds of a chain (section 4, "claims").
type Claim struct {
	chain string
	Point
	at          int64 // seq of the record in chain `trail`; -1 is a reader's
	readerEpoch int64
	from        string
}

// A Writer is what the records tell of one.
type Writer struct {
	closed   bool
	counters map[string]any
	recorded map[string]bool // calls by whose start or span
}

// judgeRecords reads what the events of the trail say of integrity and completeness (table of section 4).
func (trail *Trail) judgeRecords(relation string, document []byte) {
	claims, documentSum := []Claim{}, ""
	takings := map[string][][2]int64{} // chain: seq of a trail.opened, count that it found
	writers := map[string]*Writer{}
	writer := func(id string) *Writer {
		if writers[id] == nil {
			writers[id] = &Writer{recorded: map[string]bool{}}
		}
		return writers[id]
	}
	opened := map[string]bool{}
	wholeFromStart := true // else the counters count what is not here any more
	for _, name := range trail.names() {
		chain := trail.chains[name]
		if len(chain.epochs) > 0 {
			chain.doubt("an epoch after 0 stands in it")
			wholeFromStart = false
		}
		if chain.crashed && chain.head.os {
			trail.gap("%s: the host lost what was not synced", name)
		} else if chain.crashed {
			trail.lossUnknown("%s: what the host lost cannot be told", name)
		}
		started, ended := map[string]bool{}, map[string]bool{}
		for _, line := range chain.lines {
			if strings.HasPrefix(line.event, "tool_call.") {
				call, by := line.callID, writer(line.writer)
				switch line.event {
				case "tool_call.started":
					started[call], by.recorded[call] = true, true
				case "tool_call.finished":
					ended[call] = true
				case "tool_call.observed":
					ended[call], by.recorded[call] = true, true
				}
				continue
			}
			if !strings.HasPrefix(line.event, "trail.") {
				continue
			}
			details := line.details()
			switch line.event {
			case "trail.opened":
				opened[text(details, "writer")] = true
				documentSum = text(details, "document_sha256")
				heads, _ := details["heads"].([]any)
				for _, item := range heads {
					found, _ := item.(map[string]any)
					at, ok := point(found)
					if !ok { // a deep verification finds it
						continue
					}
					claims = append(claims, Claim{chain: text(found, "chain"), Point: at, at: line.seq, from: line.event})
					takings[text(found, "chain")] = append(takings[text(found, "chain")], [2]int64{line.seq, at.count})
					if text(found, "head") == "absent" {
						chain.doubt("a writer found no head of %s", text(found, "chain"))
					}
				}
			case "trail.heartbeat", "trail.closed":
				by := writer(text(details, "writer"))
				by.counters = object(details, "counters")
				by.closed = by.closed || line.event == "trail.closed"
				heads := object(details, "heads")
				for of := range heads {
					at, ok := point(object(heads, of))
					if !ok { // a deep verification finds it
						continue
					}
					claims = append(claims, Claim{chain: of, Point: at, at: line.seq, from: line.event})
				}
			case "trail.recovered":
				vouched, said := point(object(details, "vouched"))
				to, _ := point(object(details, "to"))
				if said && vouched.count < to.count {
					chain.doubt("lines that were recovered are not vouched for")
				}
				if text(details, "kind") == "host_crash" {
					if text(details, "durability") == "os" {
						trail.gap("%s: the host lost what was not synced", name)
					} else {
						trail.lossUnknown("%s: what the host lost cannot be told", name)
					}
				}
			case "trail.gap":
				trail.gap("%s: records were lost", name)
			case "trail.key_rotated", "trail.configuration_changed":
				if sum, there := details["document_sha256"].(string); there {
					documentSum = sum
				}
			}
		}
		for call := range started {
			if !ended[call] {
				trail.gap("%s: call %s has no end", name, call)
			}
		}
		for _, epoch := range chain.epochs {
			if !epoch.takenOver || epoch.files < epoch.first {
				trail.gap("%s: an epoch accepted a loss or skipped seqs", name)
			}
		}
	}
	if relation == "unknown" && documentSum != "" && documentSum != digest(document) {
		trail.broken("trail.json is not the one that the trail tells of")
	}
	for id := range opened {
		switch {
		case writer(id).closed || trail.living[id]:
		case trail.headsSpeak:
			trail.gap("writer %s neither closed nor lives", id)
		default: // it may live where its state directory is
			trail.lossUnknown("writer %s did not close", id)
		}
	}
	for id, by := range writers {
		if lost, _ := whole(by.counters, "lost"); lost > 0 {
			trail.gap("writer %s lost records", id)
		}
		recorded, _ := whole(by.counters, "recorded")
		if opened[id] && by.closed && wholeFromStart && recorded > int64(len(by.recorded)) {
			trail.gap("writer %s counted more calls than there are", id)
		}
	}
	for _, claim := range append(claims, trail.readerClaims()...) {
		trail.judgeClaim(claim, takings)
	}
}

// readerClaims: readers/<trail id>.json; what is not of its form is ignored.
func (trail *Trail) readerClaims() (claims []Claim) {
	if !trail.headsSpeak {
		return nil
	}
	content, _ := os.ReadFile(filepath.Join(trail.state, "readers", trail.id+".json"))
	seen := object(readObject(content), trail.path)
	for name := range seen {
		if at, ok := point(object(seen, name)); ok {
			epoch, _ := whole(object(seen, name), "epoch")
			claims = append(claims, Claim{chain: name, Point: at, at: -1, readerEpoch: epoch, from: "a reader"})
		}
	}
	return claims
}

// judgeClaim: true, or explained and a doubt, or broken (rule 9).
func (trail *Trail) judgeClaim(claim Claim, takings map[string][][2]int64) {
	if claim.count == 0 {
		return
	}
	chain := trail.chains[claim.chain]
	if chain == nil {
		trail.missing(claim.chain)
		return
	}
	hash, there := chain.bySeq[claim.count-1]
	if there && hash == claim.hash {
		return
	}
	for _, epoch := range chain.epochs {
		byEpoch := epoch.files < claim.count && claim.count <= epoch.first
		byReader := claim.at < 0 && claim.readerEpoch < epoch.number && claim.count > epoch.files
		byRecord := claim.at >= 0 && epoch.claimsBefore > claim.at
		if byEpoch || byReader || byRecord {
			trail.doubt("%s: what %s says of seq %d is gone by an epoch", claim.chain, claim.from, claim.count-1)
			return
		}
	}
	for _, taking := range takings[claim.chain] {
		if claim.at >= 0 && claim.at < taking[0] && taking[1] < claim.count {
			trail.doubt("%s: what %s says of seq %d is gone by a taking over", claim.chain, claim.from, claim.count-1)
			return
		}
	}
	if !there && !trail.headsSpeak && claim.count > chain.next.count {
		trail.doubt("%s: %s knows more of it than is here", claim.chain, claim.from)
		return
	}
	trail.broken("%s: what %s says of seq %d is not true", claim.chain, claim.from, claim.count-1)
}
