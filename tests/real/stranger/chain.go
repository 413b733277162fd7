package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"syscall"
)

var segmentName = regexp.MustCompile(`^([0-9]{12}|[1-9][0-9]{12,})(?:-([1-9][0-9]*))?\.jsonl$`)

// A Place is which segment: first seq and attempt.
type Place struct{ first, attempt int64 }

func (place Place) name() string {
	if place.attempt == 0 {
		return fmt.Sprintf("%012d", place.first)
	}
	return fmt.Sprintf("%012d-%d", place.first, place.attempt)
}

func (place Place) after(other Place) bool {
	return place.first > other.first || place.first == other.first && place.attempt > other.attempt
}

// An Epoch after 0 that stands in a chain (section 7).
type Epoch struct {
	number, first, files, claimsBefore int64
	takenOver                          bool
}

// A Chain is what verification found of one.
type Chain struct {
	name     string
	trailID  string
	at       string
	head     *Head // nil: none speaks
	key      []byte
	crashed  bool
	verdict  *Verdict
	segments map[Place][]byte
	unsafe   []int64 // first seqs of entries that are no files of the trail's
	lines    []*Line // all that count
	bySeq    map[int64]string
	epochs   []Epoch
	next     Point // where the chain ends
	fault    bool
}

func (chain *Chain) broken(form string, with ...any) {
	chain.fault = true
	chain.verdict.broken(chain.name+": "+form, with...)
}
func (chain *Chain) doubt(form string, with ...any) {
	chain.verdict.doubt(chain.name+": "+form, with...)
}

// load reads every segment; rule 4 of section 8 says what an entry must be. Modes are not judged: a copy may have others.
func (chain *Chain) load(trail *syscall.Stat_t) {
	chain.segments, chain.bySeq = map[Place][]byte{}, map[int64]string{}
	entries, err := os.ReadDir(chain.at)
	if err != nil {
		chain.doubt("cannot be read")
		return
	}
	for _, entry := range entries {
		parts := segmentName.FindStringSubmatch(entry.Name())
		if parts == nil {
			continue
		}
		path := filepath.Join(chain.at, entry.Name())
		about, err := os.Lstat(path)
		if err != nil {
			chain.doubt("%s cannot be read", entry.Name())
			continue
		}
		status := about.Sys().(*syscall.Stat_t)
		if !about.Mode().IsRegular() || status.Nlink != 1 || status.Dev != trail.Dev || status.Uid != trail.Uid {
			first, _ := strconv.ParseInt(parts[1], 10, 64)
			chain.unsafe = append(chain.unsafe, first)
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			chain.doubt("%s cannot be read", entry.Name())
			continue
		}
		first, bad1 := strconv.ParseInt(parts[1], 10, 64)
		attempt, bad2 := int64(0), error(nil)
		if parts[2] != "" {
			attempt, bad2 = strconv.ParseInt(parts[2], 10, 64)
		}
		if bad1 != nil || bad2 != nil {
			chain.broken("%s has a number that no segment has", entry.Name())
			continue
		}
		chain.segments[Place{first, attempt}] = data
	}
}

// previousOf reads what a first record says of the segment before (section 3).
func previousOf(details map[string]any) (found *Previous, ok bool) {
	value, there := details["previous"]
	if !there {
		return nil, false
	}
	if value == nil {
		return nil, true
	}
	from, isObject := value.(map[string]any)
	if !isObject {
		return nil, false
	}
	found = &Previous{asideHash: text(from, "aside_sha256")}
	var good [4]bool
	found.first, good[0] = whole(from, "first_seq")
	found.attempt, good[1] = whole(from, "attempt")
	found.end, good[2] = whole(from, "valid_end")
	found.aside, good[3] = whole(from, "aside_bytes")
	if unsynced, set := from["unsynced_from"].(map[string]any); set {
		var both [2]bool
		found.unsynced = true
		found.unsyncedCount, both[0] = whole(unsynced, "count")
		found.unsyncedOffset, both[1] = whole(unsynced, "offset")
		if !both[0] || !both[1] {
			return nil, false
		}
	} else if from["unsynced_from"] != nil {
		return nil, false
	}
	if text(from, "segment") != (Place{found.first, found.attempt}).name()+".jsonl" {
		return nil, false
	}
	return found, good[0] && good[1] && good[2] && good[3]
}

// A Step is one segment on the way (section 3, "which segments count").
type Step struct {
	place    Place
	opening  *Line     // its first record, if that is one that opens a segment
	previous *Previous // of the step before
}

// way finds the segments that count, from the open one back to the first.
func (chain *Chain) way() []Step {
	place, found := chain.openPlace()
	if !found {
		return nil
	}
	steps := []Step{}
	for {
		step := Step{place: place}
		data := chain.segments[place]
		line, err := takeLine(data, 0)
		fromHead := len(steps) == 0 && chain.head != nil && chain.head.written.offset == 0
		switch {
		case err == nil && (line.event == "trail.segment_opened" || line.event == "trail.epoch"):
			step.opening = line
			var ok bool
			step.previous, ok = previousOf(line.details())
			if !ok {
				chain.broken("a segment begins with a record that cannot be read")
				if len(steps) == 0 && chain.head != nil { // so that what lies before is judged all the same
					step.previous = chain.head.prev
				}
				break
			}
			if void, said := whole(line.details(), "void_attempts"); line.event == "trail.segment_opened" && (!said || void != place.attempt) {
				chain.broken("%s tells of other void attempts than its own name", place.name())
			}
		case fromHead:
			step.previous = chain.head.prev
		}
		steps = append(steps, step)
		if step.previous == nil {
			break
		}
		before := Place{step.previous.first, step.previous.attempt}
		if before.first >= place.first {
			chain.broken("%s names a segment that is not before it", place.name())
			break
		}
		if _, there := chain.segments[before]; !there {
			chain.broken("%s is named and missing", before.name())
			break
		}
		place = before
	}
	for left, right := 0, len(steps)-1; left < right; left, right = left+1, right-1 {
		steps[left], steps[right] = steps[right], steps[left]
	}
	return steps
}

func (chain *Chain) openPlace() (Place, bool) {
	if chain.head != nil {
		place := Place{chain.head.first, chain.head.attempt}
		_, there := chain.segments[place]
		if !there {
			chain.broken("the open segment %s is missing", place.name())
		}
		return place, there
	}
	best, found := Place{}, false
	for place, data := range chain.segments {
		if len(data) > 0 && (!found || place.after(best)) {
			best, found = place, true
		}
	}
	return best, found
}

func (chain *Chain) origin(epoch int64) string {
	name := chain.trailID + "/" + chain.name
	if epoch > 0 {
		name += "/" + strconv.FormatInt(epoch, 10)
	}
	return digest([]byte(name))
}

// verify judges the chain's files, and its head if one speaks.
func (chain *Chain) verify() {
	chain.next = Point{0, chain.origin(0)}
	steps := chain.way()
	epoch := int64(0)
	for index, step := range steps {
		data := chain.segments[step.place]
		if step.opening != nil && step.opening.event == "trail.epoch" {
			number, ok := whole(step.opening.details(), "epoch")
			files, said := point(object(step.opening.details(), "files"))
			before, _ := whole(step.opening.details(), "claims_before")
			switch {
			case !ok || number <= epoch || !said:
				chain.broken("an epoch does not go up, or does not say from where")
			case step.place.first < chain.next.count:
				chain.broken("an epoch begins below the lines before it")
			}
			epoch = number
			chain.next = Point{step.place.first, chain.origin(epoch)}
			chain.epochs = append(chain.epochs, Epoch{number, step.place.first, files.count, before, text(step.opening.details(), "kind") == "taken_over"})
		} else if index == 0 && step.place.first != 0 {
			chain.broken("the chain begins at %s", step.place.name())
			chain.next = Point{step.place.first, ""}
		}
		if step.place.first != chain.next.count {
			chain.broken("%s does not begin where the chain goes on", step.place.name())
		}
		if index == len(steps)-1 {
			chain.readOpen(data, epoch, step)
		} else {
			chain.readSealed(data, step, steps[index+1])
		}
	}
	chain.judgeOthers(steps)
	if len(steps) == 0 && chain.head != nil && chain.head.written.count > 0 {
		chain.broken("the head is beyond the files")
	}
}

var errBeyond = errors.New("a line goes beyond the end")

// follow takes lines that chain on, up to an offset; it gives where it came to a stop, and why.
func (chain *Chain) follow(data []byte, from, to int64) (int64, error) {
	for from < to {
		line, err := takeLine(data, from)
		switch {
		case err != nil:
			return from, err
		case line.end > to:
			return from, errBeyond
		case line.seq != chain.next.count || (line.previous != chain.next.hash && chain.next.hash != ""):
			return from, fmt.Errorf("line %d does not chain on", line.seq)
		}
		chain.take(line)
		from = line.end
	}
	return from, nil
}

func (chain *Chain) take(line *Line) {
	chain.lines = append(chain.lines, line)
	chain.bySeq[line.seq] = line.hash
	chain.next = Point{line.seq + 1, line.hash}
}

// readSealed judges a segment by what the next one says of it.
func (chain *Chain) readSealed(data []byte, step, after Step) {
	said, size, firstLine := after.previous, int64(len(data)), len(chain.lines)
	start := chain.next
	faultBefore := chain.fault
	end, err := chain.follow(data, 0, min(said.end, size))
	whole := err == nil && size >= said.end
	isEpoch := after.opening != nil && after.opening.event == "trail.epoch"
	switch {
	case whole:
	case said.unsynced && end >= said.unsyncedOffset:
		chain.doubt("unsynced lines of %s are gone", step.place.name())
		chain.verdict.gap("%s: unsynced lines of %s are gone", chain.name, step.place.name())
	case err != nil:
		chain.broken("%s at %d: %v", step.place.name(), end, err)
	default:
		chain.broken("%s is shorter than the next segment says", step.place.name())
	}
	if !whole && !isEpoch && after.opening != nil {
		chain.next = Point{after.place.first, after.opening.previous}
	}
	if whole {
		// A null digest beside bytes: a sync had failed (or an epoch did not say), and nothing of them is judged.
		unjudged := said.asideHash == "" && said.aside > 0
		if !unjudged && (size != said.end+said.aside || said.asideHash != "" && digest(data[said.end:]) != said.asideHash) {
			chain.broken("what follows the lines of %s is not as the next segment says", step.place.name())
		}
	}
	if whole && chain.fault == faultBefore && after.opening != nil && !isEpoch {
		chain.judgeSeal(step.place, data[:said.end], chain.lines[firstLine:], start)
	}
}

// judgeSeal holds the ten fields of a seal against the segment (section 4).
func (chain *Chain) judgeSeal(place Place, data []byte, lines []*Line, start Point) {
	path := filepath.Join(chain.at, place.name()+".seal")
	about, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return
	}
	var seal map[string]any
	if err == nil && about.Mode().IsRegular() && about.Size() <= 65536 {
		content, _ := os.ReadFile(path)
		if bytes.IndexByte(content, '\n') == len(content)-1 {
			seal = readObject(content)
		}
	}
	want := map[string]any{"segment": place.name() + ".jsonl", "first_seq": place.first, "attempt": place.attempt, "count": int64(len(lines)),
		"bytes": int64(len(data)), "sha256": digest(data)}
	if len(lines) > 0 {
		first, last := lines[0], lines[len(lines)-1]
		want["first_hash"], want["last_hash"] = first.hash, last.hash
		want["first_timestamp"], want["last_timestamp"] = first.read()["timestamp"], last.read()["timestamp"]
	}
	for key, value := range want {
		found, there := seal[key]
		if number, isNumber := value.(int64); isNumber {
			value = json.Number(strconv.FormatInt(number, 10))
		}
		if !there || found != value {
			chain.broken("the seal of %s is another segment's: %s", place.name(), key)
			return
		}
	}
}

// readOpen judges the last segment: without a head whole lines to its end, with one the table of section 5.
func (chain *Chain) readOpen(data []byte, epoch int64, step Step) {
	size, head := int64(len(data)), chain.head
	_, sealed := os.Lstat(filepath.Join(chain.at, step.place.name()+".seal"))
	if head == nil {
		end, err := chain.follow(data, 0, size)
		switch {
		case err == errNotWhole:
			chain.doubt("the last line is not whole")
		case err != nil:
			chain.broken("%s at %d: %v", step.place.name(), end, err)
		}
		if sealed == nil {
			chain.doubt("the last segment has a seal")
		}
		return
	}
	if sealed == nil {
		chain.broken("the open segment has a seal: what followed it is gone")
	}
	if head.origin != chain.origin(epoch) {
		chain.broken("the head is of another origin")
	}
	if step.opening != nil && head.prev != nil && step.previous != nil && *head.prev != *step.previous {
		chain.broken("the head and the open segment tell of the segment before differently")
	}
	begin := Mark{chain.next.count, 0, chain.next.hash}
	reach := func(to int64) Mark {
		came, err := chain.follow(data, 0, min(to, size))
		if err != nil {
			chain.broken("%s at %d: %v", step.place.name(), came, err)
		} else if size < to {
			chain.broken("%s is shorter than its head says", step.place.name())
		}
		return Mark{chain.next.count, came, chain.next.hash}
	}
	atWritten := func() {
		if reach(head.written.offset) != head.written {
			chain.broken("the files are not what the head has written")
		}
	}
	extra := size - head.written.offset
	from := len(chain.lines)
	switch {
	case head.clean:
		atWritten()
		if extra != 0 {
			chain.broken("the head is clean, and the file goes on")
		}
	case chain.crashed:
		if size < head.synced.offset {
			chain.broken("%s is shorter than what was synced", step.place.name())
		}
		came, err := chain.follow(data, 0, min(head.synced.offset, size))
		if err != nil && err != errBeyond {
			chain.broken("%s at %d: %v", step.place.name(), came, err)
		}
		if (Mark{chain.next.count, came, chain.next.hash}) == head.synced {
			chain.afterCrash(data)
		}
	case head.poisoned && !head.os:
		reach(head.synced.offset)
	case head.poisoned:
		atWritten()
	case extra == 0:
		atWritten()
	case extra > 0 && extra < head.pendingBytes:
		atWritten()
	case extra > 0 && extra == head.pendingBytes:
		atWritten()
		lines := len(chain.lines)
		if end, err := chain.follow(data, head.written.offset, size); err != nil {
			chain.broken("%s at %d: %v", step.place.name(), end, err)
		} else if int64(len(chain.lines)-lines) != head.pendingLines || chain.next.hash != head.pendingHash {
			chain.broken("what follows the head is not its pending write")
		}
	default:
		atWritten()
		chain.broken("%d bytes follow that the head does not know", extra)
	}
	// The line that ends at synced.offset.
	synced := begin
	for _, line := range chain.lines[from:] {
		if line.end <= head.synced.offset {
			synced = Mark{line.seq + 1, line.end, line.hash}
		}
	}
	if synced != head.synced {
		chain.broken("the files are not what the head has synced")
	}
	if !chain.crashed && head.synced.count > chain.next.count {
		chain.broken("the head has synced more than the chain has")
	}
}

// afterCrash finds the last line that counts (section 5, "after a crash").
func (chain *Chain) afterCrash(data []byte) {
	at, keep, vouched := chain.head.synced.offset, len(chain.lines), true
	end := chain.next
	for at <= int64(len(data)) {
		line, err := takeLine(data, at)
		if err != nil || line.seq != chain.next.count || line.previous != chain.next.hash {
			break
		}
		chain.take(line)
		at = line.end
		isVouched := line.vouched(chain.key)
		if isVouched || !chain.head.vouchedSaid || uint64(line.seq) < chain.head.vouchedFrom {
			keep, vouched, end = len(chain.lines), isVouched, chain.next
		}
	}
	for _, line := range chain.lines[keep:] {
		delete(chain.bySeq, line.seq)
	}
	chain.lines, chain.next = chain.lines[:keep], end
	if !vouched {
		chain.doubt("after a crash of the host the last line is not vouched for")
	}
}

// judgeOthers judges the segments beside the way (section 3).
func (chain *Chain) judgeOthers(steps []Step) {
	on := map[Place]bool{}
	attempts := map[int64]int64{}
	for _, step := range steps {
		on[step.place] = true
		attempts[step.place.first] = step.place.attempt
	}
	last := int64(-1)
	for _, epoch := range chain.epochs {
		last = max(last, epoch.first)
	}
	for _, first := range chain.unsafe {
		if first > last { // an epoch gives up what lies before it
			chain.broken("the entry of a segment %d is no file of the trail's", first)
		}
	}
	others := []Place{}
	for place, data := range chain.segments {
		attempt, same := attempts[place.first]
		if !on[place] && len(data) > 0 && !(same && place.attempt < attempt) && place.first > last {
			others = append(others, place)
		}
	}
	sort.Slice(others, func(a, b int) bool { return others[b].after(others[a]) })
	for _, place := range others {
		chain.broken("%s was added", place.name())
	}
}
