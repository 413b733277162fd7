package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"unicode/utf8"
)

const maxBody = 65535

// A Line is one record that is whole (section 2).
type Line struct {
	seq      int64
	previous string
	event    string
	hash     string
	body     []byte
	start    int64 // byte offsets in the segment
	end      int64
	callID   string // "" is null
	writer   string
	fields   map[string]any // read when needed
}

var (
	// What a shallow verification asks of the beginning of a line (section 8).
	opening = regexp.MustCompile(`^\{"seq":(0|[1-9][0-9]{0,15}),"previous_hash":"([0-9a-f]{64})","event":"([^"\n]*)","call_id":(?:null,|"([^"\n]*)")`)
	// Where the salt stands, right after call_id (section 2), and the writer (section 4). The rest of a call a shallow reader does not parse.
	salted  = regexp.MustCompile(`^\{"seq":[0-9]+,"previous_hash":"[0-9a-f]{64}","event":"[^"]*","call_id":(?:null|"[^"]*"),"salt":"([0-9a-f]{32})"(?:,"writer":"([^"\n]*)")?`)
	tailing = []byte(`,"hash":"`)
)

// takeLine takes the line at an offset apart from its end, as section 2 says. ok is false where no whole, right line is.
func takeLine(data []byte, at int64) (*Line, error) {
	rest := data[at:]
	length := bytes.IndexByte(rest, '\n')
	if length < 0 {
		return nil, errNotWhole
	}
	raw := rest[:length+1]
	if len(raw) < 77 {
		return nil, errors.New("a line is too short")
	}
	cut := len(raw) - 76
	if !bytes.Equal(raw[cut:cut+9], tailing) || string(raw[cut+73:]) != "\"}\n" {
		return nil, errors.New("a line does not end with its hash")
	}
	body := append(append(make([]byte, 0, cut+1), raw[:cut]...), '}')
	if len(body) > maxBody {
		return nil, errors.New("a line is too long")
	}
	sum := sha256.Sum256(append([]byte{0}, body...))
	hash := hex.EncodeToString(sum[:])
	if hash != string(raw[cut+9:cut+73]) {
		return nil, errors.New("a line's hash is not that of its body")
	}
	parts := opening.FindSubmatch(body)
	if parts == nil {
		return nil, errors.New("a line does not begin as a record")
	}
	seq, err := strconv.ParseInt(string(parts[1]), 10, 64)
	if err != nil {
		return nil, err
	}
	line := &Line{
		seq: seq, previous: string(parts[2]), event: string(parts[3]), callID: string(parts[4]),
		hash: hash, body: body, start: at, end: at + int64(len(raw)),
	}
	if more := salted.FindSubmatch(body); more != nil {
		line.writer = string(more[2])
	}
	return line, nil
}

var errNotWhole = errors.New("a line is not whole")

// vouched tells whether who held the key wrote the line (section 2).
func (line *Line) vouched(key []byte) bool {
	place := salted.FindSubmatchIndex(line.body)
	if key == nil || place == nil {
		return false
	}
	blank := bytes.Clone(line.body)
	copy(blank[place[2]:place[3]], bytes.Repeat([]byte{'0'}, 32))
	mac := hmac.New(sha256.New, key)
	mac.Write(blank)
	return hex.EncodeToString(mac.Sum(nil)[:16]) == string(line.body[place[2]:place[3]])
}

// read gives the line's fields; nil where it is no JSON object.
func (line *Line) read() map[string]any {
	if line.fields == nil {
		line.fields = readObject(line.body)
	}
	return line.fields
}

func (line *Line) details() map[string]any {
	return object(line.read(), "details")
}

// readObject keeps numbers as they stand, and is no struct: encoding/json would take a key in any case for a struct's.
func readObject(text []byte) map[string]any {
	if !utf8.Valid(text) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var found map[string]any
	if decoder.Decode(&found) != nil || decoder.More() {
		return nil
	}
	if rest := bytes.TrimSpace(text[decoder.InputOffset():]); len(rest) > 0 {
		return nil
	}
	return found
}

func object(of map[string]any, key string) map[string]any {
	found, _ := of[key].(map[string]any)
	return found
}

func text(of map[string]any, key string) string {
	found, _ := of[key].(string)
	return found
}

// whole reads an integer that is not negative.
func whole(of map[string]any, key string) (int64, bool) {
	number, isNumber := of[key].(json.Number)
	if !isNumber {
		return 0, false
	}
	value, err := strconv.ParseInt(string(number), 10, 64)
	return value, err == nil && value >= 0
}

// A Point is how far a chain goes: {count, hash}.
type Point struct {
	count int64
	hash  string
}

var sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)

func point(of map[string]any) (Point, bool) {
	count, ok := whole(of, "count")
	hash := text(of, "hash")
	return Point{count, hash}, ok && sha256Form.MatchString(hash)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
