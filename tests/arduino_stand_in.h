/* The part of Arduino's calls that kd_board_arduino.cpp and main.cpp use, with the types that Arduino's
 * reference gives them. A stand-in: it says that the glue is C++ and calls what it means to call, not
 * that a core's own header agrees. */
#ifndef ARDUINO_STAND_IN_H
#define ARDUINO_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

#define F_CPU 64000000L

class Stream_
{
public:
    void begin(unsigned long baud);
    int available();
    int read();
    size_t write(const uint8_t *bytes, size_t size);
    operator bool();
};
extern Stream_ Serial;

unsigned long micros();
void delay(unsigned long ms);
extern "C" void yield();
void setup();
void loop();

#endif
