package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

var idForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// A Known is what the state directory's `places` has of a trail.
type Known struct {
	resolved      string
	device, inode int64
	creating      bool
	documents     []string // their digests
}

// readPlaces reads `places` (section 4). ok is false where it is there and is something else.
func readPlaces(state string) (places map[string]Known, there, ok bool) {
	content, err := os.ReadFile(filepath.Join(state, "places"))
	if err != nil {
		return nil, !os.IsNotExist(err), false
	}
	found := readObject(content)
	if found == nil {
		return nil, true, false
	}
	places = map[string]Known{}
	for id, value := range found {
		entry, isObject := value.(map[string]any)
		if !isObject || !idForm.MatchString(id) {
			return nil, true, false
		}
		known := Known{}
		_, hasPath := entry["path"].(string)
		resolved, hasResolved := entry["resolved"].(string)
		creating, hasCreating := entry["creating"].(bool)
		_, hasMachine := entry["machine"]
		documents, hasDocuments := entry["documents"].([]any)
		_, hasKeys := entry["keys"].([]any)
		known.resolved, known.creating = resolved, creating
		device, isNumber1 := entry["device"].(json.Number)
		inode, isNumber2 := entry["inode"].(json.Number)
		if !(hasPath && hasResolved && hasCreating && hasMachine && hasDocuments && hasKeys && isNumber1 && isNumber2) {
			return nil, true, false
		}
		known.device, _ = device.Int64()
		known.inode, _ = inode.Int64()
		for _, item := range documents {
			document, isObject := item.(map[string]any)
			content, isText := document["text"].(string)
			if !isObject || !isText || text(document, "sha256") != digest([]byte(content)) {
				return nil, true, false
			}
			known.documents = append(known.documents, text(document, "sha256"))
		}
		places[id] = known
	}
	return places, true, true
}

// relationOf is the first table of section 8.
func relationOf(known Known, trail string, about *syscall.Stat_t) string {
	if known.creating {
		return "creating"
	}
	if known.resolved == trail || known.device == int64(about.Dev) && known.inode == int64(about.Ino) {
		return "own"
	}
	return "other"
}

// livingWriters gives the ids of writers whose file is locked (section 1): by trail id.
func livingWriters(state, trailID string) map[string]bool {
	living := map[string]bool{}
	entries, _ := os.ReadDir(filepath.Join(state, "writers"))
	for _, entry := range entries {
		file, err := os.Open(filepath.Join(state, "writers", entry.Name()))
		if err != nil {
			continue
		}
		content := make([]byte, 4096)
		count, _ := file.Read(content)
		lock := syscall.Flock_t{Type: syscall.F_WRLCK}
		const getOpenFileLock = 36 // F_OFD_GETLK: it only asks
		if count >= 32 && string(content[:32]) == trailID && syscall.FcntlFlock(file.Fd(), getOpenFileLock, &lock) == nil && lock.Type != syscall.F_UNLCK {
			living[entry.Name()] = true
		}
		file.Close()
	}
	return living
}
