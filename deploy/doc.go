// Package deploy has no code. It is the place of all that runs Rollcall; its tests hold that to what the program is.
package deploy
