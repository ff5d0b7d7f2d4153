//! A Redis server to be played with: what it says over RESP, and what can go wrong with it.
