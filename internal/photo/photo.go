// Package photo makes pictures of people fit to be kept and shown: small, upright, and without anything that a camera has
// written beside the picture.
package photo

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

// MediaType is what [Normalize] makes.
const MediaType = "image/jpeg"

// Bounds of pictures.
const (
	MaxBytes  = 5 << 20    // of what is sent
	MaxPixels = 16_000_000 // of what is sent: decoding takes up to 15 bytes for each
	maxSide   = 10_000     // in pixels, of what is sent
	Side      = 512        // the longest side of what is kept, in pixels

	quality = 85
)

// What is wrong with a picture.
var (
	ErrUnsupported = errors.New("photo: not a JPEG, PNG, GIF or WebP picture")
	ErrTooLarge    = errors.New("photo: too many bytes or pixels")
	ErrDamaged     = errors.New("photo: the picture cannot be decoded")
)

// decoder reads one format. config reads the size and allocates nothing for pixels.
type decoder struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	exif   func([]byte) []byte // the TIFF block of what the camera says; nil: none
}

// decoderOf finds the format by how the data begins: what a client calls it counts for nothing.
func decoderOf(data []byte) *decoder {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return &decoder{jpeg.DecodeConfig, jpeg.Decode, jpegExif}
	case bytes.HasPrefix(data, []byte(pngMagic)):
		return &decoder{png.DecodeConfig, png.Decode, pngExif}
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return &decoder{gif.DecodeConfig, gif.Decode, func([]byte) []byte { return nil }} // the first frame
	case len(data) > riffHeader && bytes.HasPrefix(data, []byte("RIFF")) && string(data[8:riffHeader]) == "WEBP":
		return &decoder{webp.DecodeConfig, webp.Decode, webpExif}
	}
	return nil
}

// Normalize makes a JPEG of at most Side by Side pixels from a JPEG, PNG, GIF (its first frame) or WebP picture of at most
// MaxBytes and MaxPixels, which is told before a pixel is decoded. What the camera says of how it was held is applied;
// that and everything else beside the picture is left out. What is transparent becomes white. The error is ErrUnsupported,
// ErrTooLarge or ErrDamaged.
func Normalize(data []byte) ([]byte, error) {
	if len(data) > MaxBytes {
		return nil, ErrTooLarge
	}
	d := decoderOf(data)
	if d == nil {
		return nil, ErrUnsupported
	}
	size, err := d.config(bytes.NewReader(data))
	if err != nil || size.Width <= 0 || size.Height <= 0 {
		return nil, ErrDamaged
	}
	if size.Width > maxSide || size.Height > maxSide || size.Width*size.Height > MaxPixels {
		return nil, ErrTooLarge
	}
	m, err := d.decode(bytes.NewReader(data))
	if err != nil || m.Bounds().Empty() {
		return nil, ErrDamaged
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, upright(shrunk(m), orientation(d.exif(data))), &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// shrunk is a picture of at most Side by Side pixels, on white. It is never made larger.
func shrunk(m image.Image) *image.RGBA {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if long := max(w, h); long > Side {
		w, h = max(w*Side/long, 1), max(h*Side/long, 1)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(out, out.Bounds(), m, m.Bounds(), draw.Over, nil)
	return out
}

// upright turns and mirrors a picture as Exif's Orientation, 1 to 8, says it is to be shown; any other is 1.
func upright(m *image.RGBA, orientation int) *image.RGBA {
	if orientation < 2 || orientation > 8 {
		return m
	}
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	ow, oh := w, h
	if orientation >= 5 {
		ow, oh = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, ow, oh))
	for y := range oh {
		for x := range ow {
			sx, sy := x, y
			switch orientation {
			case 2:
				sx, sy = w-1-x, y
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sx, sy = x, h-1-y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			out.SetRGBA(x, y, m.RGBAAt(sx, sy))
		}
	}
	return out
}
