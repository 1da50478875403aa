package photo

import (
	"bytes"
	"encoding/binary"
)

const (
	pngMagic   = "\x89PNG\r\n\x1a\n"
	exifMagic  = "Exif\x00\x00"
	riffHeader = 12 // bytes before the first chunk
)

// jpegExif is the TIFF block in the APP1 segment of a JPEG.
func jpegExif(data []byte) []byte {
	for data = data[2:]; len(data) >= 4 && data[0] == 0xff; {
		marker, size := data[1], int(binary.BigEndian.Uint16(data[2:]))
		if marker == 0xda || size < 2 || len(data) < 2+size { // the picture begins
			return nil
		}
		if block, ok := bytes.CutPrefix(data[4:2+size], []byte(exifMagic)); ok && marker == 0xe1 {
			return block
		}
		data = data[2+size:]
	}
	return nil
}

// pngExif is the eXIf chunk of a PNG.
func pngExif(data []byte) []byte {
	for data = data[len(pngMagic):]; len(data) >= 12; {
		size := int64(binary.BigEndian.Uint32(data))
		if size+12 > int64(len(data)) {
			return nil
		}
		if string(data[4:8]) == "eXIf" {
			return data[8 : 8+size]
		}
		data = data[12+size:]
	}
	return nil
}

// webpExif is the EXIF chunk of a WebP, which some programs begin as a JPEG's.
func webpExif(data []byte) []byte {
	for data = data[riffHeader:]; len(data) >= 8; {
		size := int64(binary.LittleEndian.Uint32(data[4:]))
		if size+8 > int64(len(data)) {
			return nil
		}
		if string(data[:4]) == "EXIF" {
			return bytes.TrimPrefix(data[8:8+size], []byte(exifMagic))
		}
		data = data[min(8+size+size%2, int64(len(data))):]
	}
	return nil
}

// orientation is the tag 0x0112 of the first directory of a TIFF block; 1 if there is none.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	start := int64(order.Uint32(tiff[4:]))
	if start+2 > int64(len(tiff)) {
		return 1
	}
	entries := int(order.Uint16(tiff[start:]))
	const entry, tagOrientation, typeShort = 12, 0x0112, 3
	for e := tiff[start+2:]; entries > 0 && len(e) >= entry; e, entries = e[entry:], entries-1 {
		if order.Uint16(e) == tagOrientation && order.Uint16(e[2:]) == typeShort {
			return int(order.Uint16(e[8:]))
		}
	}
	return 1
}
