package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"os"
	"strings"
	"syscall"
)

const none64 = ^uint64(0)

// Previous is how the segment before ended, as a first record's details or a head's prev say it (sections 3 and 5).
type Previous struct {
	first, attempt, end           int64
	unsynced                      bool
	unsyncedCount, unsyncedOffset int64
	aside                         int64
	asideHash                     string // "" is null
}

// Mark is a place in the open segment.
type Mark struct {
	count, offset int64
	hash          string
}

// Head is the slot of a head that counts (section 5).
type Head struct {
	origin              string
	boot                string
	clean, poisoned, os bool
	first, attempt      int64
	written, synced     Mark
	pendingLines        int64
	pendingBytes        int64
	pendingHash         string
	prev                *Previous
	vouchedSaid         bool
	vouchedFrom         uint64
}

// readHead gives nil where there is no valid head.
func readHead(path string, key []byte) *Head {
	about, err := os.Lstat(path)
	if err != nil || !about.Mode().IsRegular() || about.Size() != 4096 || about.Sys().(*syscall.Stat_t).Nlink != 1 {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) != 4096 {
		return nil
	}
	var best []byte
	for _, slot := range [][]byte{data[:2048], data[2048:]} {
		if string(slot[:8]) != "OTAHEAD1" || crc32.ChecksumIEEE(slot[:292]) != u32(slot, 292) {
			continue
		}
		if best == nil || u64(slot, 8) > u64(best, 8) {
			best = slot
		}
	}
	if best == nil {
		return nil
	}
	flags := u32(best, 64)
	head := &Head{
		origin: hex.EncodeToString(best[16:48]), boot: hex.EncodeToString(best[48:64]),
		clean: flags&1 != 0, poisoned: flags&2 != 0, os: flags&4 != 0,
		first: number(best, 68), attempt: int64(u32(best, 76)),
		written: mark(best, 80), synced: mark(best, 128),
		pendingLines: int64(u32(best, 176)), pendingBytes: int64(u32(best, 180)), pendingHash: hex.EncodeToString(best[184:216]),
	}
	if u64(best, 216) != none64 {
		head.prev = &Previous{first: number(best, 216), attempt: int64(u32(best, 224)), end: number(best, 228), aside: number(best, 252)}
		if u64(best, 236) != none64 || u64(best, 244) != none64 {
			head.prev.unsynced, head.prev.unsyncedCount, head.prev.unsyncedOffset = true, number(best, 236), number(best, 244)
		}
		if !bytes.Equal(best[260:292], make([]byte, 32)) {
			head.prev.asideHash = hex.EncodeToString(best[260:292])
		}
	}
	// The 28 bytes of writers that vouch.
	head.vouchedSaid = key != nil && u64(best, 296) == u64(best, 8) && crc32.ChecksumIEEE(best[296:320]) == u32(best, 320) &&
		bytes.Equal(best[312:320], keyID(key)) && u64(best, 304) != none64
	head.vouchedFrom = u64(best, 304)
	return head
}

func mark(slot []byte, at int) Mark {
	return Mark{number(slot, at), number(slot, at+8), hex.EncodeToString(slot[at+16 : at+48])}
}

// number reads a u64 that counts; what no trail can reach is all the same, and must not become negative.
func number(slot []byte, at int) int64 { return int64(min(u64(slot, at), 1<<62)) }

func u32(data []byte, at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
func u64(data []byte, at int) uint64 { return binary.LittleEndian.Uint64(data[at:]) }

func keyID(key []byte) []byte {
	sum := sha256.Sum256(append([]byte("otel-tool-audit vouching key id\x00"), key...))
	return sum[:8]
}

// readKey gives nil where there is no key of the right form: then nothing can be said of vouching.
func readKey(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(key) != 32 {
		return nil
	}
	return key
}
