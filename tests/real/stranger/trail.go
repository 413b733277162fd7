package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"syscall"
)

// A Verdict is what the program prints.
type Verdict struct {
	Integrity    string   `json:"integrity"`
	Completeness string   `json:"completeness"`
	Kind         string   `json:"kind"` // section 8: a verifier says which of the two it is
	Findings     []string `json:"findings"`

	isBroken, isDoubted, hasGaps, unknownLoss bool
}

func (verdict *Verdict) note(kind, form string, with []any) {
	verdict.Findings = append(verdict.Findings, kind+": "+fmt.Sprintf(form, with...))
}
func (verdict *Verdict) broken(form string, with ...any) {
	verdict.isBroken = true
	verdict.note("broken", form, with)
}
func (verdict *Verdict) doubt(form string, with ...any) {
	verdict.isDoubted = true
	verdict.note("cannot tell", form, with)
}
func (verdict *Verdict) gap(form string, with ...any) {
	verdict.hasGaps = true
	verdict.note("gap", form, with)
}

// lossUnknown: completeness is "cannot tell", unless a gap is known.
func (verdict *Verdict) lossUnknown(form string, with ...any) {
	verdict.unknownLoss = true
	verdict.note("completeness", form, with)
}

// finish: broken comes before a doubt, a doubt before intact (section 8).
func (verdict *Verdict) finish() {
	verdict.Integrity, verdict.Completeness = "intact", "complete"
	switch {
	case verdict.isBroken:
		verdict.Integrity = "broken"
	case verdict.isDoubted:
		verdict.Integrity = "cannot tell"
	}
	switch {
	case verdict.hasGaps:
		verdict.Completeness = "known gaps"
	case verdict.unknownLoss || verdict.isBroken:
		verdict.Completeness = "cannot tell"
	}
}

var chainName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// A Trail is one under judgement.
type Trail struct {
	*Verdict
	path, state, id string
	about           *syscall.Stat_t
	headsSpeak      bool
	places          map[string]Known
	chains          map[string]*Chain
	heads           map[string]*Head // where the state directory has them, a nil one is not valid
	living          map[string]bool
}

func judge(path, state, bootID string) *Verdict {
	verdict := &Verdict{Kind: "shallow", Findings: []string{}}
	if state == "-" {
		state = ""
	}
	(&Trail{Verdict: verdict, path: path, state: state, chains: map[string]*Chain{}, heads: map[string]*Head{}}).judge(bootID)
	verdict.finish()
	return verdict
}

func (trail *Trail) judge(bootID string) {
	resolved, err := filepath.EvalSymlinks(trail.path)
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	about, failed := os.Stat(trail.path)
	if err != nil || failed != nil {
		trail.doubt("the trail cannot be read")
		trail.lossUnknown("nothing could be read")
		return
	}
	trail.path, trail.about = resolved, about.Sys().(*syscall.Stat_t)
	document, _ := os.ReadFile(filepath.Join(trail.path, "trail.json"))
	relation := trail.place(document)
	if relation == "creating" {
		return
	}
	if trail.id == "" {
		trail.lossUnknown("nothing could be read")
		return
	}
	trail.headsSpeak = relation == "own" || relation == "moved"
	if !trail.headsSpeak {
		trail.lossUnknown("without heads a cut end cannot be ruled out")
	}
	if relation == "unknown" {
		trail.doubt("no state directory speaks for the trail")
	}
	if trail.state != "" && filepath.Join(trail.path, ".state") == trail.state {
		trail.doubt("the state lies inside the trail")
	}
	key := []byte(nil)
	if trail.state != "" {
		key = readKey(filepath.Join(trail.state, "vouching-key"))
		trail.living = livingWriters(trail.state, trail.id)
		trail.readHeads(key)
	}
	if trail.headsSpeak {
		trail.judgeOwner()
	}
	trail.findChains()
	for _, name := range trail.names() {
		chain := trail.chains[name]
		chain.key = key
		if head := trail.heads[name]; trail.headsSpeak && head != nil {
			chain.head = head
			chain.crashed = !head.clean && len(trail.living) == 0 &&
				(head.boot == strings.Repeat("0", 32) || head.boot != bootID)
		}
		chain.load(trail.about)
		chain.verify()
	}
	trail.judgeChains()
	trail.judgeRecords(relation, document)
	if relation == "copy" {
		trail.compareCopy()
	}
}

// place settles which trail this is and whether the state directory speaks for it: rules 1 and 2 of section 8.
func (trail *Trail) place(document []byte) string {
	fields := readObject(document)
	format, hasFormat := whole(fields, "format")
	if id := text(fields, "trail_id"); hasFormat && format > 0 && idForm.MatchString(id) {
		trail.id = id
	}
	relation, ok, there := "unknown", false, false
	if trail.state != "" {
		trail.places, there, ok = readPlaces(trail.state)
		if there && !ok {
			trail.broken("places is not what it should be")
		}
		for id, known := range trail.places {
			if id != trail.id && relationOf(known, trail.path, trail.about) == "own" {
				trail.broken("the state directory knows another trail here")
				if trail.id == "" {
					trail.id = id
				}
			}
		}
	}
	if trail.id == "" {
		trail.doubt("trail.json is missing or is none")
		return relation
	}
	known, isKnown := trail.places[trail.id]
	if !isKnown {
		if format > 1 {
			trail.refuse()
		}
		return relation
	}
	relation = relationOf(known, trail.path, trail.about)
	if relation == "creating" {
		return relation
	}
	if relation == "other" {
		relation = "moved"
		if there, err := os.ReadFile(filepath.Join(known.resolved, "trail.json")); err == nil && text(readObject(there), "trail_id") == trail.id {
			relation = "copy"
		}
	}
	found := false
	for _, sum := range known.documents {
		found = found || sum == digest(document)
	}
	if !found {
		trail.broken("trail.json is not the one that the state directory knows")
	} else if format > 1 {
		trail.refuse()
	}
	return relation
}

// refuse: a newer format may mean anything (section 4).
func (trail *Trail) refuse() {
	trail.doubt("the trail has a format that this reader does not know")
	trail.id = ""
}

// judgeOwner is rule 3.
func (trail *Trail) judgeOwner() {
	id, err := os.ReadFile(filepath.Join(trail.state, "id"))
	if err != nil || len(id) != 33 || id[32] != '\n' || !idForm.Match(id[:32]) {
		trail.broken("the state directory has no id")
		return
	}
	owner, err := os.ReadFile(filepath.Join(trail.path, "owner"))
	if err != nil || string(owner) != `{"state":"`+string(id[:32])+"\"}\n" {
		trail.broken("owner does not name the state directory")
	}
}

func (trail *Trail) readHeads(key []byte) {
	at := filepath.Join(trail.state, "heads", trail.id)
	entries, _ := os.ReadDir(at)
	for _, entry := range entries {
		if chainName.MatchString(entry.Name()) {
			trail.heads[entry.Name()] = readHead(filepath.Join(at, entry.Name()), key)
		}
	}
}

// findChains: every entry that may be named like a chain is one, and must be a directory of the trail's (section 1).
func (trail *Trail) findChains() {
	entries, err := os.ReadDir(trail.path)
	if err != nil {
		trail.doubt("the trail cannot be read")
	}
	for _, entry := range entries {
		name := entry.Name()
		if !chainName.MatchString(name) || name == "owner" {
			continue
		}
		about, err := os.Lstat(filepath.Join(trail.path, name))
		if err != nil || !about.IsDir() || about.Sys().(*syscall.Stat_t).Dev != trail.about.Dev || about.Sys().(*syscall.Stat_t).Uid != trail.about.Uid {
			trail.broken("%s is no directory of the trail's", name)
			continue
		}
		trail.chains[name] = &Chain{name: name, trailID: trail.id, at: filepath.Join(trail.path, name), verdict: trail.Verdict}
	}
}

func (trail *Trail) names() []string {
	names := []string{}
	for name := range trail.chains {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// judgeChains is rule 5: which chains are there, and which should be.
func (trail *Trail) judgeChains() {
	created, anyEpoch := map[string]bool{"trail": true}, false
	if own := trail.chains["trail"]; own != nil {
		anyEpoch = len(own.epochs) > 0
		for _, line := range own.lines {
			if line.event == "trail.chain_created" {
				if name := text(line.details(), "chain"); chainName.MatchString(name) {
					created[name] = true
				}
			}
		}
	} else {
		trail.missing("trail")
	}
	for name := range created {
		head, has := trail.heads[name]
		beingMade := trail.headsSpeak && has && head != nil && head.written.count == 0
		if trail.chains[name] == nil && name != "trail" && !beingMade {
			trail.missing(name)
		}
	}
	for name, chain := range trail.chains {
		head := trail.heads[name]
		if trail.headsSpeak && head == nil {
			trail.broken("%s has no valid head", name)
		}
		beingMade := trail.headsSpeak && head != nil && head.written.count == 0
		if !created[name] && !beingMade && !anyEpoch && len(chain.epochs) == 0 {
			if trail.headsSpeak {
				trail.broken("%s is a chain that nothing names", name)
			} else {
				trail.doubt("%s is a chain that nothing names", name)
			}
		}
	}
	if trail.headsSpeak {
		for name, head := range trail.heads {
			if trail.chains[name] == nil && !created[name] && (head == nil || head.written.count > 0) {
				trail.missing(name)
			}
		}
	}
}

func (trail *Trail) missing(name string) {
	if trail.headsSpeak || name == "trail" { // a copy without it is no copy of a trail
		trail.broken("chain %s is missing", name)
	} else {
		trail.doubt("chain %s is missing", name)
	}
}

// compareCopy is rule 10, and its doubt.
func (trail *Trail) compareCopy() {
	for name, head := range trail.heads {
		chain := trail.chains[name]
		if head == nil || chain == nil {
			continue
		}
		switch {
		case chain.next.count > head.written.count+head.pendingLines:
			trail.broken("%s: the copy has records that the trail has not", name)
		case chain.next.count < head.written.count:
			trail.doubt("%s: the copy is behind its trail", name)
		}
		for _, at := range []Mark{head.written, head.synced} {
			if hash, there := chain.bySeq[at.count-1]; there && hash != at.hash {
				trail.broken("%s: the copy has other records than the trail", name)
			}
		}
	}
}
