package mail

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadReport(t *testing.T) {
	const verp = "b+" + sendID + "@bounce.id.example"
	const header = "accounts@id.example"
	for _, tc := range []struct {
		file, to string
		want     Report
	}{
		{"postfix-unknown", verp, Report{Kind: ReportBounce, Send: sendID, Recipient: "ada@example.com", Hard: true, Status: "5.1.1", BadAddress: true, Detail: "550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown"}},
		{"postfix-unknown", header, Report{Kind: ReportBounce, Send: sendID, Recipient: "ada@example.com", Hard: true, Status: "5.1.1", BadAddress: true, Detail: "550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown"}},
		{"mailbox-full", verp, Report{Kind: ReportBounce, Send: sendID, Recipient: "ada@example.com", Hard: true, Status: "5.2.2", Detail: "552 5.2.2 Mailbox full"}},
		{"policy", verp, Report{Kind: ReportBounce, Send: sendID, Recipient: "ada@example.com", Hard: true, Status: "5.7.1", Detail: "550 5.7.1 Blocked by policy"}},
		{"gave-up", verp, Report{Kind: ReportBounce, Send: sendID, Recipient: "ada@example.com", Status: "4.4.1", Detail: "connect to mx.example.com: Connection timed out"}},
		{"delayed", verp, Report{Kind: ReportDelayed, Send: sendID, Recipient: "ada@example.com", Status: "4.0.0", Detail: "451 4.7.1 Greylisted"}},
		{"delivered", verp, Report{Kind: ReportDelivered, Send: sendID, Recipient: "ada@example.com", Status: "2.0.0", Detail: "250 2.0.0 Ok"}},
		{"two-recipients", verp, Report{Kind: ReportBounce, Send: sendID, Recipient: "second@example.com", Hard: true, Status: "5.1.1", BadAddress: true, Detail: "550 5.1.1 Unknown"}},
		{"no-status", verp, Report{Kind: ReportBounce, Send: sendID, Recipient: "ada@example.com", Detail: "550 5.1.1 Unknown"}},
		{"exchange-ooo", header, Report{Kind: ReportAutoReply, Send: sendID}},
		{"vacation", verp, Report{Kind: ReportAutoReply, Send: sendID}},
		{"ooo-subject", header, Report{Kind: ReportAutoReply}},
		{"precedence", verp, Report{Kind: ReportAutoReply, Send: sendID}},
		{"person", verp, Report{Kind: ReportOther, Send: sendID}},
		{"qmail", verp, Report{Kind: ReportBounce, Send: sendID, Hard: true, Status: "5.1.1", BadAddress: true, Detail: "550 5.1.1 User unknown"}},
		{"exim", header, Report{Kind: ReportBounce, Send: sendID, Recipient: "ada@example.com", Hard: true, BadAddress: true, Detail: "550 Unknown user"}},
		{"vague", verp, Report{Kind: ReportBounce, Send: sendID}},
		{"complaint", header, Report{Kind: ReportComplaint, Send: sendID, Recipient: "ada@example.com"}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", "inbound", tc.file+".eml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, source := range [][]byte{data, bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))} {
				got, err := testIdentity(t).ReadReport(tc.to, bytes.NewReader(source))
				if err != nil {
					t.Fatal(err)
				}
				if got != tc.want {
					t.Errorf("got  %+v\nwant %+v", got, tc.want)
				}
			}
		})
	}
}

func TestReadReportIsBounded(t *testing.T) {
	id := testIdentity(t)
	if _, err := id.ReadReport("", strings.NewReader("Subject: x\r\n\r\n"+strings.Repeat("x", MaxInbound))); !errors.Is(err, ErrInbound) {
		t.Errorf("too large: %v", err)
	}
	if _, err := id.ReadReport("", strings.NewReader("\x00\x01 no header")); !errors.Is(err, ErrInbound) {
		t.Errorf("no mail: %v", err)
	}
	// A status of many groups and long fields is read as far as its bounds.
	head := "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
	long := strings.Repeat("Final-Recipient: rfc822; "+strings.Repeat("x", 300)+"@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: "+strings.Repeat("y", 1000)+"\r\n "+strings.Repeat("z", 9000)+"\r\n\r\n", 50)
	rep, err := id.ReadReport("", strings.NewReader(head+long+"--b--\r\n"))
	if err != nil || rep.Kind != ReportBounce || len(rep.Detail) > maxReplyText || rep.Recipient != "" {
		t.Errorf("%+v, %v", rep, err)
	}
}

func FuzzReadReport(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "inbound", "*.eml"))
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	id := testIdentity(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		rep, err := id.ReadReport("b+"+sendID+"@bounce.id.example", bytes.NewReader(data))
		if err != nil {
			return
		}
		if rep.Send != sendID || rep.Kind == "" {
			t.Fatalf("%+v", rep)
		}
		if len(rep.Detail) > maxReplyText || strings.ContainsAny(rep.Detail, "\r\n\x00") || rep.Status != enhancedStatus(rep.Status) {
			t.Fatalf("%+v", rep)
		}
		if rep.BadAddress && !rep.Hard || rep.Hard && rep.Kind != ReportBounce {
			t.Fatalf("%+v", rep)
		}
		if rep.Recipient != "" && Fold(rep.Recipient) == "" {
			t.Fatalf("recipient %q", rep.Recipient)
		}
	})
}
