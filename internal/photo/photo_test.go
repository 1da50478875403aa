package photo

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

// halves is a picture that is red in its left half, blue in its right one, and green in its lower left quarter.
func halves(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{255, 0, 0, 255}
			switch {
			case x >= w/2:
				c = color.RGBA{0, 0, 255, 255}
			case y >= h/2:
				c = color.RGBA{0, 255, 0, 255}
			}
			m.Set(x, y, c)
		}
	}
	return m
}

func asJPEG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tiff is a block with an orientation, and a place that nobody else is to know.
func tiff(order binary.AppendByteOrder, mark string, orientation uint16) []byte {
	b := order.AppendUint32([]byte(mark), 8)
	b = order.AppendUint16(b, 2)
	for _, e := range [][2]uint16{{0x010f, 7}, {0x0112, orientation}} {
		b = order.AppendUint16(b, e[0])
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, e[1])
		b = order.AppendUint16(b, 0)
	}
	return append(b, "secret place"...)
}

// withExif puts a TIFF block into a JPEG.
func withExif(data, block []byte) []byte {
	block = append([]byte(exifMagic), block...)
	out := append([]byte{}, data[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(block)+2))
	return append(append(out, block...), data[2:]...)
}

func chunk(name string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, name...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// decoded is what Normalize makes of a picture.
func decoded(t *testing.T, data []byte) image.Image {
	t.Helper()
	out, err := Normalize(data)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out, []byte("secret")) || bytes.Contains(out, []byte("Exif")) {
		t.Error("the picture still says what the camera wrote")
	}
	m, err := jpeg.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// colors are those of the corners: upper left, upper right, lower left, lower right.
func colors(m image.Image) string {
	b := m.Bounds()
	out := ""
	for _, p := range []image.Point{{b.Dx() / 8, b.Dy() / 8}, {b.Dx() * 7 / 8, b.Dy() / 8}, {b.Dx() / 8, b.Dy() * 7 / 8}, {b.Dx() * 7 / 8, b.Dy() * 7 / 8}} {
		r, g, bl, _ := m.At(p.X, p.Y).RGBA()
		switch {
		case r > 0xc000 && g > 0xc000 && bl > 0xc000:
			out += "w"
		case r > 0xc000 && g < 0x4000 && bl < 0x4000:
			out += "r"
		case g > 0xc000 && r < 0x4000 && bl < 0x4000:
			out += "g"
		case bl > 0xc000 && r < 0x4000 && g < 0x4000:
			out += "b"
		default:
			out += "?"
		}
	}
	return out
}

// TestOrientation: a picture is shown as the camera was held, and says no more how that was, nor where.
func TestOrientation(t *testing.T) {
	plain := asJPEG(t, halves(64, 32))
	for i, want := range []string{"rbgb", "rbgb", "brbg", "bgbr", "gbrb", "rgbb", "grbb", "bbgr", "bbrg", "rbgb"} {
		for mark, order := range map[string]binary.AppendByteOrder{"II*\x00": binary.LittleEndian, "MM\x00*": binary.BigEndian} {
			m := decoded(t, withExif(plain, tiff(order, mark, uint16(i))))
			if got := colors(m); got != want {
				t.Errorf("orientation %d: %s, want %s", i, got, want)
			}
			if turned := m.Bounds().Dy() == 64; turned != (i >= 5 && i <= 8) {
				t.Errorf("orientation %d: %v", i, m.Bounds())
			}
		}
	}
	p := asPNG(t, halves(64, 32))
	head := len(pngMagic) + 25 // the magic and IHDR
	p = append(append(append([]byte{}, p[:head]...), chunk("eXIf", tiff(binary.BigEndian, "MM\x00*", 6))...), p[head:]...)
	if got := colors(decoded(t, p)); got != "grbb" {
		t.Errorf("eXIf of a PNG: %s", got)
	}
}

// TestDamagedExif: what the camera wrote may be anything.
func TestDamagedExif(t *testing.T) {
	block := tiff(binary.LittleEndian, "II*\x00", 6)
	for n := range len(block) {
		orientation(block[:n])
	}
	for _, f := range []func([]byte) []byte{jpegExif, pngExif, webpExif} {
		data := bytes.Repeat([]byte{0xff}, 64)
		for n := riffHeader; n <= len(data); n++ {
			f(data[:n])
		}
	}
}

// TestSizes: large pictures become small ones of the same shape, small ones stay as they are.
func TestSizes(t *testing.T) {
	for _, x := range []struct{ w, h, wantW, wantH int }{{1024, 512, 512, 256}, {300, 900, 170, 512}, {20, 10, 20, 10}, {5000, 1, 512, 1}} {
		if got := decoded(t, asPNG(t, halves(x.w, x.h))).Bounds(); got.Dx() != x.wantW || got.Dy() != x.wantH {
			t.Errorf("%dx%d became %v", x.w, x.h, got)
		}
	}
}

// tinyWebP is a lossy WebP of one pixel.
const tinyWebP = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"

func TestFormats(t *testing.T) {
	pal := image.NewPaletted(image.Rect(0, 0, 40, 40), color.Palette{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}})
	second := image.NewPaletted(pal.Rect, pal.Palette)
	for i := range second.Pix {
		second.Pix[i] = 1
	}
	var g bytes.Buffer
	if err := gif.EncodeAll(&g, &gif.GIF{Image: []*image.Paletted{pal, second}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	if got := colors(decoded(t, g.Bytes())); got != "rrrr" {
		t.Errorf("the first frame of a GIF: %s", got)
	}
	if got := colors(decoded(t, asPNG(t, image.NewNRGBA(image.Rect(0, 0, 8, 8))))); got != "wwww" {
		t.Errorf("what is transparent is shown as %s", got)
	}
	w, err := base64.StdEncoding.DecodeString(tinyWebP)
	if err != nil {
		t.Fatal(err)
	}
	if got := decoded(t, w).Bounds(); got.Dx() != 1 || got.Dy() != 1 {
		t.Errorf("WebP: %v", got)
	}
	block := tiff(binary.LittleEndian, "II*\x00", 8)
	block = append([]byte(exifMagic), block...)
	w = append(binary.LittleEndian.AppendUint32(append(w, "EXIF"...), uint32(len(block))), block...)
	if got := orientation(webpExif(w)); got != 8 {
		t.Errorf("EXIF of a WebP: orientation %d", got)
	}
}

// TestRefused: what is no picture, or would be one of many pixels, is refused before a pixel is decoded.
func TestRefused(t *testing.T) {
	bomb := func(w, h uint32) []byte { // some bytes that say they are billions of pixels
		b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
		return append([]byte(pngMagic), chunk("IHDR", append(b, 8, 2, 0, 0, 0))...)
	}
	whole := asJPEG(t, halves(64, 64))
	for name, x := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":       {nil, ErrUnsupported},
		"text":          {[]byte("hello"), ErrUnsupported},
		"SVG":           {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), ErrUnsupported},
		"HTML as a GIF": {[]byte("GIF89a<script>alert(1)</script>"), ErrTooLarge},
		"half a JPEG":   {whole[:len(whole)/2], ErrDamaged},
		"a bomb":        {bomb(60_000, 60_000), ErrTooLarge},
		"a long bomb":   {bomb(1, 1<<30), ErrTooLarge},
		"no end":        {bomb(10, 10), ErrDamaged},
		"many bytes":    {append(asPNG(t, halves(4, 4)), make([]byte, MaxBytes)...), ErrTooLarge},
	} {
		if _, err := Normalize(x.data); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
}
